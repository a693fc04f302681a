# Debian packages, as imported targets named by what they are to us.

pkg_check_modules(fuse3 REQUIRED IMPORTED_TARGET fuse3>=3.14)
pkg_check_modules(jsonc REQUIRED IMPORTED_TARGET json-c)
pkg_check_modules(ssl REQUIRED IMPORTED_TARGET libssl>=3)
pkg_check_modules(crypto REQUIRED IMPORTED_TARGET libcrypto>=3)
pkg_check_modules(isal IMPORTED_TARGET libisal)

# libev ships no .pc file.
find_path(EV_INCLUDE_DIR ev.h REQUIRED)
find_library(EV_LIBRARY ev REQUIRED)
add_library(umpio_ev INTERFACE)
target_include_directories(umpio_ev SYSTEM INTERFACE ${EV_INCLUDE_DIR})
target_link_libraries(umpio_ev INTERFACE ${EV_LIBRARY})

if(BUILD_TESTING)
  pkg_check_modules(criterion REQUIRED IMPORTED_TARGET criterion)
  pkg_check_modules(libnbd REQUIRED IMPORTED_TARGET libnbd)
endif()
