# Jansson::Jansson and PCRE2::8bit, built with ternvk from the libraries' own sources
# (TVK_LIBRARIES_FROM_SOURCE): for targets that have no packages of them, such as Windows and Android.
# Their own build descriptions are not used: they ask the compiler some hundred questions whose answers
# are known, and want policies that newer versions of CMake have dropped.
#
# TVK_SOURCES names a folder with the sources, jansson/ and pcre2/. Where it is not given they are
# upstream's releases as Debian 12 has them (Jansson 2.14, PCRE2 10.42), unpacked by unpack.sh; Debian's
# patches there concern its own packaging.
set(TVK_SOURCES "" CACHE PATH "sources of Jansson (jansson/) and PCRE2 (pcre2/); empty: Debian's")
if(TVK_SOURCES)
  set(sources "${TVK_SOURCES}")
else()
  set(unpacked "${PROJECT_SOURCE_DIR}/build/libraries")
  set(sources "${unpacked}/source")
endif()
foreach(header IN ITEMS jansson/src/jansson.h pcre2/src/pcre2.h.generic)
  if(EXISTS "${sources}/${header}")
    continue()
  elseif(TVK_SOURCES)
    message(FATAL_ERROR "ternvk: TVK_SOURCES: ${sources}/${header} expected, not found")
  endif()
  message(STATUS "unpacking the sources of Jansson and PCRE2 into ${unpacked}")
  execute_process(COMMAND sh "${PROJECT_SOURCE_DIR}/third_party/unpack.sh" --source "${unpacked}"
    bookworm amd64 jansson pcre2 RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "ternvk: the sources of Jansson and PCRE2 cannot be had (reason above): unpack "
      "their releases into a folder and name it by TVK_SOURCES")
  endif()
  file(REMOVE_RECURSE "${unpacked}/apt") # the package lists: 20 MB
endforeach()

# tvk_source_library(NAME package FOLDER source...): a static library whose headers are in its build
# folder FOLDER and in the package's src/. Warnings are not ours to mend.
function(tvk_source_library name package folder)
  list(TRANSFORM ARGN PREPEND "${sources}/${package}/src/" REGEX "^[^/]+$")
  add_library(${name} STATIC ${ARGN})
  set_target_properties(${name} PROPERTIES C_STANDARD 11 C_VISIBILITY_PRESET hidden
    POSITION_INDEPENDENT_CODE ON)
  target_include_directories(${name} PRIVATE "${sources}/${package}/src"
    INTERFACE $<BUILD_INTERFACE:${folder}>)
  target_include_directories(${name} BEFORE PRIVATE "${folder}")
  target_compile_options(${name} PRIVATE $<IF:$<C_COMPILER_ID:MSVC>,/w,-w>)
  install(TARGETS ${name} EXPORT ternvk ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
endfunction()

include(GNUInstallDirs)

# ---- Jansson: the answers to what its build asks, as its two headers of answers want them.
set(jansson "${PROJECT_BINARY_DIR}/third_party/jansson")
function(tvk_configure_jansson)
  set(json_inline inline)
  set(json_have_long_long 1)
  set(json_have_localeconv 1)
  set(json_have_sync_builtins 0)
  set(has STDINT_H LOCALE_H SETLOCALE INT32_T UINT32_T UINT16_T UINT8_T)
  if(MSVC)
    set(JSON_SSIZE "long long")
    set(json_have_atomic_builtins 0)
  else()
    list(APPEND has SSIZE_T ATOMIC_BUILTINS)
    set(json_have_atomic_builtins 1)
  endif()
  # where the seed of its hash tables comes from
  if(WIN32)
    set(USE_WINDOWS_CRYPTOAPI ON)
  else()
    set(USE_URANDOM ON)
    list(APPEND has OPEN CLOSE READ FCNTL_H UNISTD_H SYS_STAT_H SYS_TYPES_H SYS_TIME_H GETTIMEOFDAY
      GETPID SCHED_H SCHED_YIELD)
  endif()
  foreach(fact IN LISTS has)
    set(HAVE_${fact} ON)
  endforeach()
  set(JANSSON_INITIAL_HASHTABLE_ORDER 3)
  configure_file("${sources}/jansson/src/jansson_config.h.in" "${jansson}/jansson_config.h" @ONLY)
  configure_file("${sources}/jansson/cmake/jansson_private_config.h.cmake"
    "${jansson}/jansson_private_config.h")
  configure_file("${sources}/jansson/src/jansson.h" "${jansson}/jansson.h" COPYONLY)
endfunction()
tvk_configure_jansson()
tvk_source_library(tvk_jansson jansson "${jansson}" dump.c error.c hashtable.c hashtable_seed.c load.c
  memory.c pack_unpack.c strbuffer.c strconv.c utf.c value.c version.c)
target_compile_definitions(tvk_jansson PRIVATE HAVE_CONFIG_H)
add_library(Jansson::Jansson ALIAS tvk_jansson)

# ---- PCRE2, code units of 8 bits: as its NON-AUTOTOOLS-BUILD says.
set(pcre2 "${PROJECT_BINARY_DIR}/third_party/pcre2")
foreach(file IN ITEMS config.h.generic pcre2.h.generic pcre2_chartables.c.dist)
  string(REGEX REPLACE "\\.(generic|dist)$" "" name "${file}")
  configure_file("${sources}/pcre2/src/${file}" "${pcre2}/${name}" COPYONLY)
endforeach()
tvk_source_library(tvk_pcre2 pcre2 "${pcre2}" "${pcre2}/pcre2_chartables.c" pcre2_auto_possess.c
  pcre2_compile.c pcre2_config.c pcre2_context.c pcre2_convert.c pcre2_dfa_match.c pcre2_error.c
  pcre2_extuni.c pcre2_find_bracket.c pcre2_jit_compile.c pcre2_maketables.c pcre2_match.c
  pcre2_match_data.c pcre2_newline.c pcre2_ord2utf.c pcre2_pattern_info.c pcre2_script_run.c
  pcre2_serialize.c pcre2_string_utils.c pcre2_study.c pcre2_substitute.c pcre2_substring.c
  pcre2_tables.c pcre2_ucd.c pcre2_valid_utf.c pcre2_xclass.c)
target_compile_definitions(tvk_pcre2 PRIVATE HAVE_CONFIG_H HAVE_MEMMOVE PCRE2_CODE_UNIT_WIDTH=8
  SUPPORT_UNICODE SUPPORT_JIT PUBLIC PCRE2_STATIC)
add_library(PCRE2::8bit ALIAS tvk_pcre2)
