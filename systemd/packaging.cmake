# `cpack` makes a .deb and an .rpm of what is installed. Run again for each of them, where
# CPACK_GENERATOR is set, it gives the files the places and companions that a Debian package has.
if(CPACK_TEMPORARY_INSTALL_DIRECTORY)
  if(CPACK_GENERATOR STREQUAL DEB)
    set(share ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/usr/share)
    set(doc ${share}/doc/${CPACK_PACKAGE_NAME})
    string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC) # $SOURCE_DATE_EPOCH where it is set
    file(RENAME ${share}/zsh/site-functions ${share}/zsh/vendor-completions)
    file(REMOVE ${doc}/LICENSE)
    file(WRITE ${doc}/copyright
"Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: 2026 ${CPACK_PACKAGE_VENDOR}
License: Apache-2.0
 The text is in /usr/share/common-licenses/Apache-2.0.
")
    file(WRITE ${doc}/changelog
"${CPACK_PACKAGE_NAME} (${CPACK_PACKAGE_VERSION}) unstable; urgency=medium

  * Built from the source of this version.

 -- ${CPACK_PACKAGE_CONTACT}  ${date}
")
    execute_process(COMMAND gzip -9n changelog WORKING_DIRECTORY ${doc} COMMAND_ERROR_IS_FATAL ANY)
  endif()
  return()
endif()

set(CPACK_PACKAGE_VENDOR "HostK8s maintainers")
set(CPACK_PACKAGE_CONTACT "HostK8s maintainers <hostk8s@users.noreply.github.com>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "local image registry for kind clusters that always works")
set(CPACK_PACKAGE_DESCRIPTION
"A daemon of the user's that keeps a container registry on this machine, and
lets every node of the declared kind clusters pull from it under the names
that images are pushed to. It repairs what others break, and says why where
it cannot.")
set(CPACK_GENERATOR DEB RPM)
set(CPACK_PACKAGE_RELOCATABLE OFF)
set(CPACK_STRIP_FILES ON)
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ
    GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_FILE})

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "docker.io | docker-ce | podman")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_RPM_FILE_NAME RPM-DEFAULT)
set(CPACK_RPM_PACKAGE_LICENSE Apache-2.0)
set(CPACK_RPM_PACKAGE_DESCRIPTION ${CPACK_PACKAGE_DESCRIPTION})
set(CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION
    /usr/lib /usr/lib/systemd /usr/lib/systemd/user /usr/share/man /usr/share/man/man1
    /usr/share/man/man5 /usr/share/bash-completion /usr/share/bash-completion/completions
    /usr/share/zsh /usr/share/zsh/site-functions /usr/share/fish
    /usr/share/fish/vendor_completions.d)
include(CPack)
