# SPDX-License-Identifier: BSD-3-Clause
# cmake -DNM=.. -DBUILT=.. -DINSTALLED=.. -P names_match.cmake
# Fails unless BUILT exports every name that INSTALLED does, with the same version.
function(names_of library out)
    execute_process(COMMAND ${NM} -D --defined-only ${library} OUTPUT_VARIABLE text RESULT_VARIABLE code)
    if(NOT code EQUAL 0 OR text STREQUAL "")
        message(FATAL_ERROR "cannot read the names of ${library}")
    endif()
    string(REGEX MATCHALL "[^ \n]+@@?[A-Z0-9_.]+" names "${text}")
    set(${out} "${names}" PARENT_SCOPE)
endfunction()

names_of(${BUILT} built)
names_of(${INSTALLED} installed)
if(NOT installed)
    message(FATAL_ERROR "${INSTALLED} has no versioned names")
endif()
list(REMOVE_ITEM installed ${built})
if(installed)
    list(JOIN installed "\n  " missing)
    file(REMOVE ${BUILT})
    message(FATAL_ERROR "${BUILT} lacks names of ${INSTALLED}:\n  ${missing}")
endif()
