#include "files/manifest.hpp"

#include <catch2/catch.hpp>

using namespace pgchronicle::files;
using pgchronicle::pgoutput::Lsn;

TEST_CASE("a manifest is JSON with one member a line", "[files]") {
    Manifest manifest;
    manifest.table = "operations.a\"b";
    manifest.pipeline = "p";
    manifest.day = "2026-03-03";
    manifest.as_of = "2026-03-03T23:59:59.999999Z";
    manifest.lsn = Lsn{0x1600000001};
    manifest.file = "f.csv.gz";
    manifest.format = "csv";
    manifest.compression = "gzip";
    manifest.rows = 2;
    manifest.bytes = 3;
    manifest.sha256 = "00";
    manifest.row_key = {"id", "x"};
    manifest.columns = {{"id", "integer"}, {"x", "text"}};
    manifest.gaps = {{"slot_lost", Lsn{1}, Lsn{2}}, {"quarantined", Lsn{3}, std::nullopt}};
    CHECK(
        to_json(manifest) == R"({
  "table": "operations.a\"b",
  "pipeline": "p",
  "day": "2026-03-03",
  "as_of": "2026-03-03T23:59:59.999999Z",
  "lsn": "16/1",
  "file": "f.csv.gz",
  "format": "csv",
  "compression": "gzip",
  "rows": 2,
  "bytes": 3,
  "sha256": "00",
  "row_key": ["id", "x"],
  "columns": [{"name": "id", "type": "integer"}, {"name": "x", "type": "text"}],
  "gaps": [{"reason": "slot_lost", "from_lsn": "0/1", "to_lsn": "0/2"}, )"
                             R"({"reason": "quarantined", "from_lsn": "0/3", "to_lsn": null}]
}
)"
    );
    Manifest plain;
    CHECK(to_json(plain).find(R"("compression": null,)") != std::string::npos);
}
