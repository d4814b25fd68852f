# The check of the layers must find what it is there for: each case is a small tree with one fault.
#   cmake -DOUT=folder -P tests/layers_test.cmake
cmake_minimum_required(VERSION 3.20)
function(check name expect)
  set(root "${OUT}/${name}")
  file(REMOVE_RECURSE "${root}")
  while(ARGN)
    list(POP_FRONT ARGN path text)
    file(WRITE "${root}/${path}" "${text}\n")
  endwhile()
  execute_process(COMMAND "${CMAKE_COMMAND}" "-DROOT=${root}"
    -P "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/layers.cmake"
    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(expect STREQUAL "" AND NOT result EQUAL 0)
    message(SEND_ERROR "${name}: nothing to complain about, but: ${output}")
  elseif(NOT expect STREQUAL "" AND (result EQUAL 0 OR NOT output MATCHES "${expect}"))
    message(SEND_ERROR "${name}: '${expect}' expected, found: ${output}")
  endif()
endfunction()

check(clean "" "runtime/graph/a.c" "/* vkFoo in a comment */\n#include <stdio.h>\n#include \"vk/gpu.h\""
  "runtime/vk/b.c" "#include <volk.h>\nVkResult r = VK_SUCCESS" "loader/c.c" "#include \"base/check.h\"")
check(upwards "runtime/base may include" "runtime/base/a.c" "#include \"vk/gpu.h\"")
check(sideways "runtime/ref may include" "runtime/ref/a.c" "#include \"kernels/kernel.h\"")
check(loader "loader may include" "loader/a.c" "#include \"vk/gpu.h\"")
check(cli "cli may include" "cli/a.c" "#include \"base/half.h\"")
check(shader "params.h and the manifest only" "runtime/kernels/a.c" "#include \"shaders/include/dot.glsl\"")
check(vulkan_header "may include" "runtime/graph/a.c" "#include <vulkan/vulkan.h>")
check(vulkan_name "names vkCreateDevice" "runtime/graph/a.c" "void f(void) { vkCreateDevice(); }")
check(vulkan_type "names VkBuffer" "cli/a.c" "VkBuffer b")
check(prints "calls printf" "runtime/session/a.c" "void f(void) { printf(\"x\"); }")
check(environment "calls getenv" "loader/a.c" "char *f(void) { return getenv(\"X\"); }")
check(ascii "not ASCII" "runtime/include/ternvk/a.h" "/* a × b */")
check(public "runtime/include may include" "runtime/include/ternvk/a.h" "#include \"base/error.h\"")
