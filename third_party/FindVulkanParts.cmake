# Vulkan headers, volk and the shader compiler: from the private tool chain (TVK_TOOLCHAIN) where it
# is, else from the system. Asked anew at each configuration, so that a tool chain that arrives later
# is taken. Gives the target Vulkan::Parts (include folder with volk.h and vulkan/) and the variables
# TVK_GLSLC, TVK_SPIRV_VAL (empty: no validation).
if(EXISTS "${TVK_TOOLCHAIN}/done")
  set(TVK_GLSLC "${TVK_TOOLCHAIN}/bin/glslc")
  set(TVK_SPIRV_VAL "${TVK_TOOLCHAIN}/bin/spirv-val")
  set(vulkan_dirs "${TVK_TOOLCHAIN}/include")
else()
  message(WARNING "ternvk: no private tool chain in ${TVK_TOOLCHAIN} (third_party/toolchain.sh makes "
    "it): the system's glslc, Vulkan headers and volk are used")
  # or from the Vulkan SDK, which is how Windows and macOS have them
  set(sdk "$ENV{VULKAN_SDK}")
  find_program(TVK_SYSTEM_GLSLC glslc HINTS "${sdk}/bin")
  find_program(TVK_SYSTEM_SPIRV_VAL spirv-val HINTS "${sdk}/bin")
  find_path(TVK_SYSTEM_VULKAN vulkan/vulkan.h HINTS "${sdk}/include")
  find_path(TVK_SYSTEM_VOLK volk.h HINTS "${sdk}/include" PATH_SUFFIXES volk Volk)
  mark_as_advanced(TVK_SYSTEM_GLSLC TVK_SYSTEM_SPIRV_VAL TVK_SYSTEM_VULKAN TVK_SYSTEM_VOLK)
  set(TVK_GLSLC "")
  set(TVK_SPIRV_VAL "")
  set(vulkan_dirs "")
  if(TVK_SYSTEM_GLSLC)
    set(TVK_GLSLC "${TVK_SYSTEM_GLSLC}")
  endif()
  if(TVK_SYSTEM_SPIRV_VAL)
    set(TVK_SPIRV_VAL "${TVK_SYSTEM_SPIRV_VAL}")
  else()
    message(WARNING "ternvk: no spirv-val: the shaders are not validated")
  endif()
  if(TVK_SYSTEM_VULKAN AND TVK_SYSTEM_VOLK)
    set(vulkan_dirs "${TVK_SYSTEM_VULKAN}" "${TVK_SYSTEM_VOLK}")
    list(REMOVE_DUPLICATES vulkan_dirs)
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(VulkanParts REQUIRED_VARS TVK_GLSLC vulkan_dirs
  FAIL_MESSAGE "glslc, Vulkan headers and volk are needed: third_party/README.md")
if(NOT TARGET Vulkan::Parts)
  add_library(Vulkan::Parts INTERFACE IMPORTED GLOBAL)
  target_include_directories(Vulkan::Parts INTERFACE ${vulkan_dirs})
endif()
