# Writes the source that cmake/EmbedAssets.cmake speaks of.
cmake_policy(VERSION 3.22)
set(type_html "text/html; charset=utf-8")
set(type_js "text/javascript; charset=utf-8")
set(type_css "text/css; charset=utf-8")
set(type_svg "image/svg+xml")

string(REPLACE "|" ";" inputs "${INPUTS}")
set(arrays "")
set(entries "")
set(count 0)
foreach(input ${inputs})
  get_filename_component(name ${input} NAME)
  get_filename_component(stem ${input} NAME_WE)
  get_filename_component(extension ${input} LAST_EXT)
  string(SUBSTRING ${extension} 1 -1 extension)
  if(name STREQUAL "index.html")
    set(path "/")
  elseif(extension STREQUAL "html")
    set(path "/${stem}")
  else()
    set(path "/assets/${name}")
  endif()

  file(READ ${input} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n"
    bytes "${bytes}")
  file(SHA256 ${input} digest)
  string(SUBSTRING ${digest} 0 16 digest)

  string(APPEND arrays "// ${name}\nconstexpr unsigned char bytes_${count}[] = {\n${bytes}};\n\n")
  string(APPEND entries "        Asset{\"${path}\", \"${type_${extension}}\", view(bytes_${count}),"
    " \"\\\"${digest}\\\"\"},\n")
  math(EXPR count "${count} + 1")
endforeach()

file(WRITE ${OUTPUT} "// Made by cmake/embed_assets.cmake.
#include \"http/assets.hpp\"

#include <array>
#include <cstddef>

namespace pgchronicle::http {
namespace {

template <std::size_t Size>
std::string_view view(const unsigned char (&bytes)[Size]) {
    return {reinterpret_cast<const char*>(bytes), Size};
}

${arrays}}  // namespace

std::span<const Asset> assets() {
    static const std::array<Asset, ${count}> all{
${entries}    };
    return all;
}

}  // namespace pgchronicle::http
")
