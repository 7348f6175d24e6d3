# SPDX-License-Identifier: BSD-3-Clause
# How our own code is compiled: linked PRIVATE by every target of the project, exported by none.
add_library(verbcast_options INTERFACE)
target_compile_options(verbcast_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    # Sized deallocation is part of C++ since C++14, and off in clang 14. GCC's -Wconversion does not warn of signs.
    target_compile_options(verbcast_options INTERFACE -fsized-deallocation -Wno-sign-conversion)
endif()
target_compile_definitions(verbcast_options INTERFACE
    BOOST_ASIO_NO_DEPRECATED
    $<$<CONFIG:Debug>:_GLIBCXX_ASSERTIONS>
    $<$<BOOL:${VERBCAST_MODEL}>:VERBCAST_MODEL>)

if(VERBCAST_SANITIZE)
    list(JOIN VERBCAST_SANITIZE "," sanitizers)
    set(sanitizer_flags -fsanitize=${sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    if("undefined" IN_LIST VERBCAST_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
        # The checker of indirect calls does not know the frames of Asio's coroutines.
        list(APPEND sanitizer_flags -fno-sanitize=function)
    endif()
    add_compile_options(${sanitizer_flags})
    add_link_options(${sanitizer_flags})
endif()
