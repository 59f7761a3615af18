# What a program that links the static library needs at its own link. Installed beside tinyllmConfig.cmake, which includes it there.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
# Not fmt-header-only: that compiles the library into every file, five of the seven seconds a file takes.
find_package(fmt REQUIRED)
if(NOT TARGET PkgConfig::TINYLLM_PCRE2)
  pkg_check_modules(TINYLLM_PCRE2 REQUIRED QUIET IMPORTED_TARGET libpcre2-8)
endif()
if(NOT TARGET PkgConfig::TINYLLM_UTF8PROC)
  pkg_check_modules(TINYLLM_UTF8PROC REQUIRED QUIET IMPORTED_TARGET libutf8proc)
endif()
