# pgchronicle_embed_assets(target folder): makes `pgchronicle::http::assets()` of http/assets.hpp
# return the files of a folder, so that one binary is all there is to ship. index.html is served at
# "/", any other page.html at "/page", everything else at "/assets/file".
function(pgchronicle_embed_assets target folder)
  file(GLOB files CONFIGURE_DEPENDS ${folder}/*.html ${folder}/*.js ${folder}/*.css ${folder}/*.svg)
  list(SORT files)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/assets.cpp)
  # A list cannot pass as one argument of a command, and no name of ours has a '|'.
  list(JOIN files "|" joined)
  add_custom_command(
    OUTPUT ${source}
    COMMAND ${CMAKE_COMMAND} "-DINPUTS=${joined}" -DOUTPUT=${source}
            -P ${PROJECT_SOURCE_DIR}/cmake/embed_assets.cmake
    DEPENDS ${files} ${PROJECT_SOURCE_DIR}/cmake/embed_assets.cmake
    VERBATIM)
  target_sources(${target} PRIVATE ${source})
endfunction()
