# Toolchain file of the preset arm64: 64-bit ARM Linux, by what third_party/arm64.sh unpacked into
# TVK_ARM64, else by the machine's aarch64-linux-gnu-gcc. Programs run by qemu in the first case.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(TVK_ARM64 "${CMAKE_CURRENT_LIST_DIR}/../build/arm64-tools" CACHE PATH
    "what third_party/arm64.sh unpacked")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES TVK_ARM64)
set(tools "")
if(EXISTS "${TVK_ARM64}/done")
  set(tools "${TVK_ARM64}/bin/")
  set(CMAKE_CROSSCOMPILING_EMULATOR "${CMAKE_CURRENT_LIST_DIR}/../tests/support/on-arm64.sh;${TVK_ARM64}")
  set(CMAKE_FIND_ROOT_PATH "${TVK_ARM64}/cross/root/usr/aarch64-linux-gnu")
else()
  set(CMAKE_FIND_ROOT_PATH /usr/aarch64-linux-gnu)
endif()
set(CMAKE_C_COMPILER "${tools}aarch64-linux-gnu-gcc")
set(CMAKE_AR "${tools}aarch64-linux-gnu-ar" CACHE FILEPATH "")
set(CMAKE_RANLIB "${tools}aarch64-linux-gnu-ranlib" CACHE FILEPATH "")
set(CMAKE_STRIP "${tools}aarch64-linux-gnu-strip" CACHE FILEPATH "")
# Libraries are the target's. Headers of Vulkan and volk are the same for all, glslc runs here.
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
