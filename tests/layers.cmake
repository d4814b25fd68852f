# Checks what the compiler cannot: cmake [-DROOT=folder] -P tests/layers.cmake
#   - every #include follows the dependency direction of the layers below;
#   - Vulkan names occur in runtime/vk only;
#   - public headers are ASCII and include only the standard library and each other;
#   - no function of the library prints, exits or reads the environment;
#   - the operating system and the compiler are known to a few files (below); all others are C11 as every
#     compiler has it.
# Long files are listed, not refused.
cmake_minimum_required(VERSION 3.20)
if(NOT ROOT)
  get_filename_component(ROOT "${CMAKE_CURRENT_LIST_DIR}/.." ABSOLUTE)
endif()

# folder | folders and headers it may include. Later rows do not inherit earlier ones: a row is all
# that a folder may see besides itself and the C library.
set(layers
  "runtime/include|ternvk"
  "runtime/base|ternvk base"
  "runtime/vk|ternvk base vk volk.h vulkan"
  "runtime/kernels|ternvk base vk kernels shaders spirv_table.inc"
  "runtime/tune|ternvk base vk kernels tune shaders"
  "runtime/graph|ternvk base vk kernels graph shaders"
  "runtime/kv|ternvk base vk kernels graph kv shaders"
  "runtime/model|ternvk base vk kernels tune graph kv model shaders"
  "runtime/session|ternvk base vk kernels graph kv model session shaders"
  "runtime/ref|base ref shaders"
  "loader/include|ternvk"
  "loader|ternvk base jansson.h pcre2.h"
  "cli|ternvk jansson.h base/clock.h base/compiler.h base/disk.h base/text.h"
  "cli/line_edit.c|ternvk histedit.h"
  "cli/variants.c|ternvk jansson.h tests"
  "cli/cmd_selftest.c|ternvk jansson.h tests"
  "cli/kernels_run.c|ternvk jansson.h tests"
  "cli/kernels_module.h|ternvk tests"
  "cli/kernels_module.c|ternvk shaders"
  "cli/texts.c|texts.inc")

# Headers of C11, less those that Microsoft's or Apple's C library has not: complex, stdatomic, tgmath,
# threads, uchar.
set(system assert ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign
  stdarg stdbool stddef stdint stdio stdlib stdnoreturn string time wchar wctype)

# The files that know an operating system may include its headers, ask for it, and call functions of
# the C library that take paths or variables in the machine's own encoding.
set(platform_files "^(runtime/base|cli)/platform_(posix|windows)\\.c$|^cli/line_edit_windows\\.c$")
set(platform_headers dirent dlfcn fcntl io mach-o poll process pthread sched shellapi sys termios unistd
  windows)
set(platform_macros "_WIN32|__APPLE__|__linux__|__ANDROID__|__unix__|_[A-Z]+(_C)?_SOURCE")
set(platform_calls "fopen|freopen|rename|remove|tmpfile|tmpnam|getenv|system|clock|timespec_get|fileno")
# Also asked for the system: what a dynamic symbol is (a public header has no base/ to ask), and which
# packages hold the Vulkan loader.
set(macro_files "^runtime/include/ternvk/base\\.h$|^runtime/vk/instance\\.c$")
set(compiler_macros "__GNUC__|__clang__|_MSC_VER|__MINGW[0-9]+__|__attribute__|__builtin_[a-z_]+|__declspec|__extension__|__typeof__")
set(compiler_files "^runtime/include/ternvk/base\\.h$|^runtime/base/compiler\\.h$")

set(errors 0)
macro(complain)
  message(STATUS "layers: " ${ARGN})
  math(EXPR errors "${errors} + 1")
endmacro()

file(GLOB_RECURSE files RELATIVE "${ROOT}" "${ROOT}/runtime/*.[ch]" "${ROOT}/runtime/*.def"
  "${ROOT}/loader/*.[ch]" "${ROOT}/loader/*.def" "${ROOT}/cli/*.[ch]" "${ROOT}/shaders/include/*.h")
foreach(file IN LISTS files)
  file(READ "${ROOT}/${file}" text)
  # Comments may say anything; brackets would confuse CMake's lists.
  string(REGEX REPLACE "/\\*([^*]|\\*+[^*/])*\\*+/" "" text "${text}")
  string(REGEX REPLACE "//[^\n]*" "" text "${text}")
  string(REGEX REPLACE "[][;]" " " text "${text}")

  set(allowed "")
  set(own "")
  foreach(layer IN LISTS layers)
    string(REGEX MATCH "^[^|]+" folder "${layer}")
    if(file STREQUAL folder OR file MATCHES "^${folder}/")
      string(LENGTH "${folder}" length)
      string(LENGTH "${own}" best)
      if(length GREATER best)
        set(own "${folder}")
        string(REGEX REPLACE "^[^|]+[|]" "" allowed "${layer}")
        separate_arguments(allowed)
      endif()
    endif()
  endforeach()

  string(REGEX MATCHALL "#[ \t]*include[ \t]*[<\"][^>\"\n]+[>\"]" includes "${text}")
  foreach(include IN LISTS includes)
    string(REGEX REPLACE "#[ \t]*include[ \t]*[<\"]([^>\"]+)[>\"]" "\\1" header "${include}")
    string(REGEX MATCH "^[^/]+" first "${header}")
    string(REGEX REPLACE "\\.h$" "" stem "${first}")
    get_filename_component(folder "${file}" DIRECTORY)
    if(stem IN_LIST system AND include MATCHES "<")
      continue()
    elseif(stem IN_LIST platform_headers AND include MATCHES "<")
      if(NOT file MATCHES "${platform_files}")
        complain("${file} includes ${header}: operating systems belong to the platform files")
      endif()
    elseif(header STREQUAL first AND EXISTS "${ROOT}/${folder}/${header}")
      continue() # a header of the same folder
    elseif(NOT first IN_LIST allowed AND NOT header IN_LIST allowed)
      string(REPLACE ";" " " allowed_text "${allowed}")
      complain("${file} includes ${header}; ${own} may include: ${allowed_text}")
    elseif(header MATCHES "^shaders/" AND NOT header MATCHES "^shaders/(include/params\\.h|manifest\\.def)$")
      complain("${file} includes ${header}: C sees shaders/include/params.h and the manifest only")
    elseif(header MATCHES "^tests/" AND NOT header STREQUAL "tests/kernels/cases.h")
      complain("${file} includes ${header}: only tests/kernels/cases.h is shared with commands")
    endif()
  endforeach()

  if(NOT file MATCHES "^runtime/vk/" AND text MATCHES "(^|[^A-Za-z0-9_])(vk[A-Z][A-Za-z]*|Vk[A-Z][A-Za-z]*|VK_[A-Z_]+)")
    complain("${file} names ${CMAKE_MATCH_2}: Vulkan's names belong to runtime/vk")
  endif()
  if(file MATCHES "^(runtime|loader)/" AND
      text MATCHES "(^|[^A-Za-z0-9_])(printf|puts|putchar|getenv|exit|abort|perror)[ \n]*\\(")
    complain("${file} calls ${CMAKE_MATCH_2}: the library never prints, exits or reads the environment")
  endif()
  if(NOT file MATCHES "${platform_files}")
    if(NOT file MATCHES "${macro_files}" AND text MATCHES "(^|[^A-Za-z0-9_])(${platform_macros})([^A-Za-z0-9_]|$)")
      complain("${file} names ${CMAKE_MATCH_2}: operating systems belong to the platform files")
    endif()
    if(text MATCHES "(^|[^A-Za-z0-9_.>])(${platform_calls})[ \n]*\\(")
      complain("${file} calls ${CMAKE_MATCH_2}: base/disk.h, base/clock.h and cli/platform.h have it")
    endif()
  endif()
  if(NOT file MATCHES "${compiler_files}" AND text MATCHES "(^|[^A-Za-z0-9_])(${compiler_macros})([^A-Za-z0-9_]|$)")
    complain("${file} names ${CMAKE_MATCH_2}: compilers belong to base/compiler.h")
  endif()
  if(file MATCHES "/include/ternvk/")
    file(READ "${ROOT}/${file}" raw)
    string(REGEX REPLACE "[\t\n -~]" "" rest "${raw}")
    if(NOT rest STREQUAL "")
      complain("${file} is not ASCII: ${rest}")
    endif()
  endif()
endforeach()

file(GLOB_RECURSE sized RELATIVE "${ROOT}" "${ROOT}/runtime/*.[ch]" "${ROOT}/loader/*.[ch]"
  "${ROOT}/cli/*.[ch]" "${ROOT}/shaders/*.comp" "${ROOT}/shaders/*.glsl" "${ROOT}/tests/*.[ch]")
foreach(file IN LISTS sized)
  file(READ "${ROOT}/${file}" text)
  string(REGEX REPLACE "[^\n]" "" lines "${text}")
  string(LENGTH "${lines}" lines)
  set(bound 700)
  if(file MATCHES "/include/ternvk/")
    set(bound 400)
  endif()
  if(lines GREATER bound)
    message(STATUS "layers: ${file} has ${lines} lines: has it two jobs?")
  endif()
endforeach()

if(errors GREATER 0)
  message(FATAL_ERROR "layers: ${errors} found")
endif()
