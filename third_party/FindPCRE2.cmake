# PCRE2, 8-bit (regular expressions of tokenizers), the static library if there is one: the target
# PCRE2::8bit. Users define PCRE2_CODE_UNIT_WIDTH before they include pcre2.h.
find_path(PCRE2_INCLUDE_DIR pcre2.h)
find_library(PCRE2_LIBRARY NAMES libpcre2-8.a pcre2-8)
mark_as_advanced(PCRE2_INCLUDE_DIR PCRE2_LIBRARY)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(PCRE2 REQUIRED_VARS PCRE2_LIBRARY PCRE2_INCLUDE_DIR)
if(PCRE2_FOUND AND NOT TARGET PCRE2::8bit)
  string(REGEX MATCH "\\.a$" static "${PCRE2_LIBRARY}")
  add_library(PCRE2::8bit UNKNOWN IMPORTED GLOBAL)
  set_target_properties(PCRE2::8bit PROPERTIES IMPORTED_LOCATION "${PCRE2_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${PCRE2_INCLUDE_DIR}"
    INTERFACE_COMPILE_DEFINITIONS "$<$<BOOL:${static}>:PCRE2_STATIC>")
endif()
