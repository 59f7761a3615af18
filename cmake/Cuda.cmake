# TINYLLM_CUDA=ON builds kernels/cuda where a CUDA toolkit is found. Without one the build leaves it out and says so.
#
# CMAKE_CUDA_ARCHITECTURES picks the GPUs (docs/cuda.md has the list): unset, the one of this machine, and where there is none a Jetson
# Orin (87) with PTX that newer ones translate.
set(TINYLLM_HAS_CUDA OFF)
if(TINYLLM_CUDA)
  find_package(CUDAToolkit QUIET)
  if(CUDAToolkit_FOUND AND CUDAToolkit_NVCC_EXECUTABLE)
    set(TINYLLM_HAS_CUDA ON)
  else()
    message(STATUS "tinyllm: no CUDA toolkit found, CUDA is left out")
  endif()
else()
  message(STATUS "tinyllm: CUDA is left out (TINYLLM_CUDA=OFF)")
endif()

# Arithmetic that no toolkit is needed for.
target_sources(tinyllm PRIVATE ${PROJECT_SOURCE_DIR}/kernels/cuda/memory.cpp)
if(NOT TINYLLM_HAS_CUDA)
  target_sources(tinyllm PRIVATE ${PROJECT_SOURCE_DIR}/kernels/cuda/without.cpp)
  return()
endif()

if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES AND NOT DEFINED ENV{CUDAARCHS})
  set(CMAKE_CUDA_ARCHITECTURES 87)
  find_program(TINYLLM_NVIDIA_SMI nvidia-smi)
  if(TINYLLM_NVIDIA_SMI)
    execute_process(COMMAND ${TINYLLM_NVIDIA_SMI} --query-gpu=compute_cap --format=csv,noheader
                    OUTPUT_VARIABLE gpus ERROR_QUIET RESULT_VARIABLE status)
    # "8.7", a line per GPU. Not `native`, which CMake has since 3.24 only; on some boards no number is told.
    string(REGEX MATCHALL "[0-9]+\\.[0-9]+" gpus "${gpus}")
    if(status EQUAL 0 AND gpus)
      string(REPLACE "." "" gpus "${gpus}")
      list(REMOVE_DUPLICATES gpus)
      set(CMAKE_CUDA_ARCHITECTURES ${gpus})
    endif()
  endif()
  set(CMAKE_CUDA_ARCHITECTURES ${CMAKE_CUDA_ARCHITECTURES} CACHE STRING "GPUs to build for")
endif()
if(NOT DEFINED CMAKE_CUDA_COMPILER)
  set(CMAKE_CUDA_COMPILER ${CUDAToolkit_NVCC_EXECUTABLE})
endif()
enable_language(CUDA)
message(STATUS "tinyllm: CUDA ${CUDAToolkit_VERSION} from ${CUDAToolkit_BIN_DIR} for ${CMAKE_CUDA_ARCHITECTURES}")

file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/cuda/*.cpp)
list(REMOVE_ITEM sources ${PROJECT_SOURCE_DIR}/kernels/cuda/without.cpp ${PROJECT_SOURCE_DIR}/kernels/cuda/memory.cpp)
# Checks declarations against the header that lies beside the toolkit; another version's would not go with it.
find_file(TINYLLM_CUBLASLT_HEADER cublasLt.h PATHS ${CUDAToolkit_INCLUDE_DIRS} NO_DEFAULT_PATH)
if(NOT TINYLLM_CUBLASLT_HEADER)
  list(REMOVE_ITEM sources ${PROJECT_SOURCE_DIR}/kernels/cuda/cublaslt_header.cpp)
endif()
file(GLOB cuda_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/cuda/*.cu)
target_sources(tinyllm PRIVATE ${sources} ${cuda_sources})
set_source_files_properties(${sources} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)  # the toolkit's header is for these alone
# C++14 is what CUDA 10.2 has, the last toolkit for a Jetson Nano. Sums are fused where the source says so: results must not depend on
# the GPU that they were compiled for.
set_target_properties(tinyllm PROPERTIES CUDA_STANDARD 14 CUDA_STANDARD_REQUIRED ON CUDA_EXTENSIONS OFF
                      CUDA_VISIBILITY_PRESET hidden CUDA_RUNTIME_LIBRARY Static
                      CUDA_ARCHITECTURES "${CMAKE_CUDA_ARCHITECTURES}")  # the target is older than the choice
target_compile_options(tinyllm PRIVATE
  "$<$<COMPILE_LANGUAGE:CUDA>:-fmad=false;-Xcompiler=-Wall;-Xcompiler=-Wextra;$<$<BOOL:${TINYLLM_WERROR}>:-Werror=all-warnings>>")
