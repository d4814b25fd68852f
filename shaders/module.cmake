# A shader as the elements of a C array of 32-bit words, NAME.inc, and the files that it was made of for the
# build tool, NAME.d.
#
#   cmake -DGLSLC=PROGRAM -DVALIDATOR=[PROGRAM] "-DFLAGS=..." -DSOURCE=x.comp -DNAME=PATH -DCACHE=[FOLDER]
#         -P module.cmake
#
# CACHE: what one build of this tree compiled the others copy (TVK_SHADER_CACHE): three quarters of a
# compilation are the start of the compiler. A copy's name is a hash of the flags, the tools, the source and
# every file that a source may include, so that it cannot be an old one; and no warning was made about it.
cmake_minimum_required(VERSION 3.20)
set(target "${NAME}.inc")
set(kept "")
if(CACHE)
  file(GLOB includes "${CMAKE_CURRENT_LIST_DIR}/include/*")
  file(TIMESTAMP "${GLSLC}" text)
  foreach(file IN LISTS includes ITEMS "${SOURCE}" "${CMAKE_CURRENT_LIST_FILE}")
    file(SHA256 "${file}" hash)
    string(APPEND text " ${hash}")
  endforeach()
  set(meaning ${FLAGS})
  list(REMOVE_ITEM meaning -Werror)
  string(SHA256 key "${text} ${meaning} ${GLSLC} ${VALIDATOR} ${SOURCE}")
  set(kept "${CACHE}/${key}")
  if(EXISTS "${kept}.inc")
    file(READ "${kept}.d" files)
    file(WRITE "${NAME}.d" "${target}:${files}")
    file(READ "${kept}.inc" words)
    file(WRITE "${target}" "${words}")
    return()
  endif()
endif()

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${SOURCE}: ${result}")
  endif()
endfunction()
run("${GLSLC}" ${FLAGS} -MD -MF "${NAME}.d" -MT "${target}" -o "${NAME}.spv" "${SOURCE}")
if(VALIDATOR)
  run("${VALIDATOR}" --target-env vulkan1.1 "${NAME}.spv")
endif()
file(READ "${NAME}.spv" hex HEX)
string(REGEX REPLACE "(..)(..)(..)(..)" "0x\\4\\3\\2\\1," words "${hex}")
file(WRITE "${target}" "${words}\n")

if(kept AND "-Werror" IN_LIST FLAGS)
  file(READ "${NAME}.d" files)
  string(REPLACE "${target}:" "" files "${files}")
  file(WRITE "${kept}.d" "${files}")
  string(RANDOM LENGTH 8 part) # whole or not at all: builds may run side by side
  file(WRITE "${kept}.${part}" "${words}\n")
  file(RENAME "${kept}.${part}" "${kept}.inc")
endif()
