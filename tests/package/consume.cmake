# Configures, builds and runs consumer/ in a fresh folder. Installed: against a copy that
# `cmake --install` of the build under test makes.
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${WAY}: ${ARGN}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE "${OUT}")
if(WAY STREQUAL "installed")
  run("${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${OUT}/prefix")
  set(where "-DCMAKE_PREFIX_PATH=${OUT}/prefix")
else()
  set(where "-DTERNVK_SOURCE=${SOURCE}")
endif()
run("${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_LIST_DIR}/consumer" -B "${OUT}/build" -G "${GENERATOR}"
  "-DCMAKE_C_COMPILER=${COMPILER}" "-DTVK_TOOLCHAIN=${TOOLCHAIN}"
  "-DTVK_SHADER_CACHE=${SHADER_CACHE}" ${where})
run("${CMAKE_COMMAND}" --build "${OUT}/build")
run("${OUT}/build/consumer")
if(NOT output MATCHES "ternvk [0-9]+\\.[0-9]+\\.[0-9]+")
  message(FATAL_ERROR "${WAY}: a version expected, found: ${output}")
endif()
