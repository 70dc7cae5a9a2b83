#include "tests/unit/history_writer/building.hpp"

#include <catch2/catch.hpp>

using namespace pgchronicle;
using namespace pgchronicle::history_writer;
using namespace pgchronicle::test;
using namespace pgchronicle::test::building;

TEST_CASE("an insert of a key that is open in the batch is refused", "[history_writer]") {
    Building b;
    REQUIRE_FALSE(b.insert(orders, order("1", "new")));
    const auto outcome = b.insert(orders, order("1", "new"));
    REQUIRE(code_of(outcome) == PlanErrc::key_already_open);
    REQUIRE(outcome->table == "public.orders");
    REQUIRE(outcome->change_seq == 2);
    REQUIRE(
        to_string(*outcome) ==
        "a row was inserted whose key is open already: table \"public.orders\", change 2 of its "
        "transaction"
    );
    Building c;
    REQUIRE_FALSE(c.insert(orders, order("1", "new")));
    const auto rekeyed = c.update(orders, OldTupleKind::key, order_key("2"), order("1", "new"));
    REQUIRE(code_of(rekeyed) == PlanErrc::key_already_open);
}

TEST_CASE("a change of a key that the batch has ended is refused", "[history_writer]") {
    Building b;
    REQUIRE_FALSE(b.remove(orders, OldTupleKind::key, order_key("1")));
    REQUIRE(code_of(b.update(orders, order("1", "new"))) == PlanErrc::unknown_key);
    REQUIRE(code_of(b.remove(orders, OldTupleKind::key, order_key("1"))) == PlanErrc::unknown_key);
    REQUIRE(
        code_of(b.update(orders, OldTupleKind::key, order_key("1"), order("2", "new"))) ==
        PlanErrc::unknown_key
    );
}

TEST_CASE("a row without a key needs its old values", "[history_writer]") {
    const auto table = whole_row_table();
    Building b;
    REQUIRE(code_of(b.update(table, order("1", "new"))) == PlanErrc::missing_old_tuple);
    REQUIRE(
        code_of(b.remove(table, OldTupleKind::key, order_key("1"))) == PlanErrc::missing_old_tuple
    );
}

TEST_CASE("an old tuple without the row key is refused", "[history_writer]") {
    Building b;
    const Row other_identity{null(), text("new"), null()};
    REQUIRE(code_of(b.remove(orders, OldTupleKind::key, other_identity)) == PlanErrc::key_not_sent);
    REQUIRE(
        code_of(b.update(orders, OldTupleKind::key, other_identity, order("1", "new"))) ==
        PlanErrc::key_not_sent
    );
}

TEST_CASE("unchanged TOAST without a key, or in it, is refused", "[history_writer]") {
    Building b;
    const auto unsent = PlanErrc::unchanged_toast_without_row;
    const auto whole_row = whole_row_table();
    REQUIRE(code_of(b.insert(whole_row, Row{text("1"), text("new"), unchanged()})) == unsent);
    REQUIRE(code_of(b.update(orders, Row{unchanged(), text("new"), text("-")})) == unsent);
}

TEST_CASE("a value in the other form than the stream's is refused", "[history_writer]") {
    const Row mixed{text("1"), binary("new"), text("-")};
    Building as_text{WireForm::text};
    REQUIRE(code_of(as_text.insert(orders, mixed)) == PlanErrc::form_mismatch);
    REQUIRE(code_of(as_text.update(orders, mixed)) == PlanErrc::form_mismatch);
    REQUIRE(
        code_of(as_text.update(orders, OldTupleKind::full, mixed, order("1", "new"))) ==
        PlanErrc::form_mismatch
    );
    REQUIRE(code_of(as_text.remove(orders, OldTupleKind::full, mixed)) == PlanErrc::form_mismatch);
    Building as_binary{WireForm::binary};
    REQUIRE(code_of(as_binary.insert(orders, order("1", "new"))) == PlanErrc::form_mismatch);
}
