# Text files as C arrays: cmake "-DFILES=a;b" -DOUT=texts.inc -P texts.cmake
# A table of names, bytes with a zero behind them, and sizes (texts.c).
set(arrays "")
set(table "")
foreach(file IN LISTS FILES)
  get_filename_component(name "${file}" NAME)
  string(MAKE_C_IDENTIFIER "${name}" id)
  file(READ "${file}" hex HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  string(APPEND arrays "static const unsigned char ${id}[] = {${bytes}0};\n")
  string(APPEND table "    {\"${name}\", ${id}, sizeof ${id} - 1},\n")
endforeach()
file(WRITE "${OUT}" "${arrays}static const struct text {\n    const char *name;\n"
  "    const unsigned char *bytes;\n    size_t size;\n} texts[] = {\n${table}};\n")
