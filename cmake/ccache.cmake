# SPDX-License-Identifier: BSD-3-Clause
# Compiles through ccache where there is one. The sloppiness is what ccache needs to cache users of a precompiled header;
# without the folder in the hash, what one checkout compiled serves the next.
if(PROJECT_IS_TOP_LEVEL AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
    find_program(VERBCAST_CCACHE ccache)
    mark_as_advanced(VERBCAST_CCACHE)
    if(VERBCAST_CCACHE)
        foreach(language C CXX)
            set(CMAKE_${language}_COMPILER_LAUNCHER
                ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}
                CCACHE_NOHASHDIR=1 ${VERBCAST_CCACHE})
        endforeach()
    endif()
endif()
