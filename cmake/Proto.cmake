# countersign_proto(name PROTOS a.proto ... [GRPC b.proto ...] DEPS targets): messages of PROTOS and
# GRPC, service stubs of GRPC only. Import root is api/ and the google.rpc protos.
function(countersign_proto name)
  cmake_parse_arguments(ARG "" "ROOT" "PROTOS;GRPC;DEPS" ${ARGN})
  set(out ${CMAKE_BINARY_DIR}/generated)
  set(sources)
  foreach(proto ${ARG_PROTOS} ${ARG_GRPC})
    string(REGEX REPLACE "\\.proto$" "" stem ${proto})
    set(outputs ${out}/${stem}.pb.cc ${out}/${stem}.pb.h)
    set(plugin)
    if(${proto} IN_LIST ARG_GRPC)
      list(APPEND outputs ${out}/${stem}.grpc.pb.cc ${out}/${stem}.grpc.pb.h)
      set(plugin --grpc_out=${out} --plugin=protoc-gen-grpc=${GRPC_CPP_PLUGIN})
    endif()
    add_custom_command(
      OUTPUT ${outputs}
      COMMAND ${CMAKE_COMMAND} -E make_directory ${out}
      COMMAND ${PROTOC} -I ${ARG_ROOT} -I ${COUNTERSIGN_GOOGLEAPIS} --cpp_out=${out} ${plugin}
              ${proto}
      DEPENDS ${ARG_ROOT}/${proto}
      VERBATIM)
    list(APPEND sources ${outputs})
  endforeach()
  add_library(countersign_${name} STATIC ${sources})
  target_link_libraries(countersign_${name} PRIVATE countersign_options
                        PUBLIC ${ARG_DEPS} protobuf::libprotobuf)
  target_include_directories(countersign_${name} SYSTEM PUBLIC ${out})
  add_library(countersign::${name} ALIAS countersign_${name})
endfunction()
