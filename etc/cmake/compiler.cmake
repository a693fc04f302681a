# Warnings, hardening and sanitizers for all targets, and the one-liner that
# makes a library of a folder.

add_compile_options(-Wall -Wextra -Wshadow -Wformat=2 -Wvla -Wundef
  -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings
  -Wconversion -Wno-sign-conversion -fno-strict-aliasing -fno-omit-frame-pointer)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  # Objects that tell their caller, through a flag on its stack, that they are
  # gone: gcc 12 takes the address that outlives the object for one that
  # outlives the caller.
  add_compile_options(-Wno-dangling-pointer)
endif()
if(UMPIO_WERROR)
  add_compile_options(-Werror)
endif()
add_compile_definitions(_GNU_SOURCE UMPIO_VERSION="${PROJECT_VERSION}")

if(UMPIO_SANITIZE)
  # Fortified functions hide overflows from the sanitizers.
  add_compile_options(-fsanitize=${UMPIO_SANITIZE} -fno-sanitize-recover=all
    -U_FORTIFY_SOURCE)
  add_link_options(-fsanitize=${UMPIO_SANITIZE})
elseif(CMAKE_BUILD_TYPE MATCHES "Rel")
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
    -fstack-protector-strong -fstack-clash-protection)
  add_link_options(-Wl,-z,relro,-z,now)
endif()

# Assertions stay on in every build: they hold our own invariants only.
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELWITHDEBINFO
  "${CMAKE_C_FLAGS_RELWITHDEBINFO}")
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")

# umpio_library(NAME SOURCES… [LIBS library…])
function(umpio_library name)
  cmake_parse_arguments(arg "" "" "LIBS" ${ARGN})
  add_library(${name} STATIC ${arg_UNPARSED_ARGUMENTS})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR}/include)
  target_link_libraries(${name} PUBLIC ${arg_LIBS})
endfunction()

# umpio_executable(NAME SOURCES… [WORLD library] [LIBS library…])
# A program with the seams' implementations in it: umpio_world, or another one.
function(umpio_executable name)
  cmake_parse_arguments(arg "" "WORLD" "LIBS" ${ARGN})
  if(NOT arg_WORLD)
    set(arg_WORLD umpio_world)
  endif()
  add_executable(${name} ${arg_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE ${arg_WORLD} ${arg_LIBS} umpio_base)
endfunction()
