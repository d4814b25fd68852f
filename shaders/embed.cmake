# A SPIR-V file as the elements of a C array of 32-bit words: cmake -DIN=x.spv -DOUT=x.inc -P embed.cmake
file(READ "${IN}" hex HEX)
string(REGEX REPLACE "(..)(..)(..)(..)" "0x\\4\\3\\2\\1," words "${hex}")
file(WRITE "${OUT}" "${words}\n")
