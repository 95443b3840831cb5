# Run at install time, when the prefix is known: writes it into the units of `unit_sources`. They pass
# through a folder of this prefix below `unit_folder`, since two installations may run at once.
get_filename_component(PREFIX "${CMAKE_INSTALL_PREFIX}" ABSOLUTE)
string(MD5 tag "${PREFIX}")
file(GLOB units "${unit_sources}/*.service" "${unit_sources}/*.timer")
foreach(unit ${units})
  get_filename_component(name "${unit}" NAME)
  configure_file("${unit}" "${unit_folder}/${tag}/${name}" @ONLY)
  file(INSTALL "${unit_folder}/${tag}/${name}" TYPE FILE
       DESTINATION "${CMAKE_INSTALL_PREFIX}/lib/systemd/system")
endforeach()
file(REMOVE_RECURSE "${unit_folder}/${tag}")
