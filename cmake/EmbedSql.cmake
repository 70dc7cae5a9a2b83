# pgchronicle_embed_sql(target variable file): makes `extern const char* const <variable>` in
# namespace pgchronicle::embedded hold the file's text, so that one binary is all there is to ship.
function(pgchronicle_embed_sql target variable file)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/${variable}.cpp)
  add_custom_command(
    OUTPUT ${source}
    COMMAND ${CMAKE_COMMAND} -DINPUT=${file} -DOUTPUT=${source} -DVARIABLE=${variable}
            -P ${PROJECT_SOURCE_DIR}/cmake/embed_file.cmake
    DEPENDS ${file} ${PROJECT_SOURCE_DIR}/cmake/embed_file.cmake
    VERBATIM)
  target_sources(${target} PRIVATE ${source})
endfunction()
