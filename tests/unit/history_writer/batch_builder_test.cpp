#include "tests/unit/history_writer/building.hpp"

#include <catch2/catch.hpp>

using namespace pgchronicle;
using namespace pgchronicle::history_writer;
using namespace pgchronicle::test;
using namespace pgchronicle::test::building;

TEST_CASE("an insert opens a version and closes none", "[history_writer]") {
    Building b;
    REQUIRE_FALSE(b.insert(orders, order("1", "new")));
    REQUIRE(lines_of(b) == Lines{"INSERT 1|new|- [100:1,)"});
}

TEST_CASE("an update closes what the target has open and opens the new row", "[history_writer]") {
    Building b;
    REQUIRE_FALSE(b.update(orders, order("1", "paid")));
    REQUIRE(lines_of(b) == Lines{"close 1 #0", "UPDATE 1|paid|- [100:1,)"});
}

TEST_CASE("versions that begin and end in the batch arrive closed", "[history_writer]") {
    Building b;
    REQUIRE_FALSE(b.update(orders, order("1", "paid")));
    REQUIRE_FALSE(b.update(orders, order("1", "sent")));
    b.next_transaction();
    REQUIRE_FALSE(b.update(orders, order("1", "done")));
    REQUIRE(
        lines_of(b) ==
        Lines{
            "close 1 #0",
            "UPDATE 1|paid|- [100:1,100)",
            "UPDATE 1|sent|- [100:2,200)",
            "UPDATE 1|done|- [200:1,)"}
    );
}

TEST_CASE("a delete adds a tombstone whose values the target knows", "[history_writer]") {
    Building b;
    REQUIRE_FALSE(b.remove(orders, OldTupleKind::key, order_key("1")));
    REQUIRE(lines_of(b) == Lines{"close 1 #0", "DELETE 1|?|? [100:1,100)"});
}

TEST_CASE(
    "a delete's tombstone has the last values where the batch knows them",
    "[history_writer]"
) {
    Building b;
    REQUIRE_FALSE(b.insert(orders, order("1", "new")));
    REQUIRE_FALSE(b.remove(orders, OldTupleKind::key, order_key("1")));
    REQUIRE_FALSE(b.remove(orders, OldTupleKind::full, order("2", "old")));
    REQUIRE(
        lines_of(b) ==
        Lines{
            "close 2 #0",
            "INSERT 1|new|- [100:1,100)",
            "DELETE 1|new|- [100:2,100)",
            "DELETE 2|old|- [100:3,100)"}
    );
}

TEST_CASE("a key deleted and inserted again is closed in the target once", "[history_writer]") {
    Building b;
    REQUIRE_FALSE(b.remove(orders, OldTupleKind::full, order("1", "old")));
    REQUIRE_FALSE(b.insert(orders, order("1", "new")));
    REQUIRE_FALSE(b.update(orders, order("1", "paid")));
    REQUIRE(
        lines_of(b) ==
        Lines{
            "close 1 #0",
            "DELETE 1|old|- [100:1,100)",
            "INSERT 1|new|- [100:2,100)",
            "UPDATE 1|paid|- [100:3,)"}
    );
}

TEST_CASE(
    "a change of the key ends the old one with REKEY and opens the new one",
    "[history_writer]"
) {
    Building b;
    REQUIRE_FALSE(b.update(orders, OldTupleKind::key, order_key("1"), order("2", "new")));
    REQUIRE(
        lines_of(b) == Lines{"close 1 #0", "REKEY 1|?|? [100:1,100)", "UPDATE 2|new|- [100:1,)"}
    );
}

TEST_CASE("a key that is only spelt differently is an ordinary update", "[history_writer]") {
    auto numbered = orders_table();
    numbered.columns[0].equality = KeyEquality::numeric;
    const auto table = shared(std::move(numbered));
    Building b;
    REQUIRE_FALSE(b.update(table, OldTupleKind::key, order_key("1.0"), order("1.00", "new")));
    REQUIRE(lines_of(b) == Lines{"close 1.0 #0", "UPDATE 1.00|new|- [100:1,)"});
}

TEST_CASE("rows may swap their keys within a transaction", "[history_writer]") {
    Building b;
    REQUIRE_FALSE(b.update(orders, OldTupleKind::key, order_key("1"), order("9", "a")));
    REQUIRE_FALSE(b.update(orders, OldTupleKind::key, order_key("2"), order("1", "b")));
    REQUIRE_FALSE(b.update(orders, OldTupleKind::key, order_key("9"), order("2", "a")));
    REQUIRE(
        lines_of(b) ==
        Lines{
            "close 1 #0",
            "close 2 #0",
            "REKEY 1|?|? [100:1,100)",
            "UPDATE 9|a|- [100:1,100)",
            "REKEY 2|?|? [100:2,100)",
            "UPDATE 1|b|- [100:2,)",
            "REKEY 9|a|- [100:3,100)",
            "UPDATE 2|a|- [100:3,)"}
    );
}

TEST_CASE(
    "an unchanged TOAST value comes from the old tuple where there is one",
    "[history_writer]"
) {
    Building b;
    const Row sent{text("1"), text("paid"), unchanged()};
    REQUIRE_FALSE(b.update(orders, OldTupleKind::full, order("1", "new", "long"), sent));
    REQUIRE(lines_of(b) == Lines{"close 1 #0", "UPDATE 1|paid|long [100:1,)"});
}

TEST_CASE("else from the version before it in the batch", "[history_writer]") {
    Building b;
    const Row sent{text("1"), text("paid"), unchanged()};
    REQUIRE_FALSE(b.insert(orders, order("1", "new", "long")));
    REQUIRE_FALSE(b.update(orders, sent));
    REQUIRE(lines_of(b) == Lines{"INSERT 1|new|long [100:1,100)", "UPDATE 1|paid|long [100:2,)"});
}

TEST_CASE("else it is left to the target, along the whole chain", "[history_writer]") {
    Building b;
    REQUIRE_FALSE(b.update(orders, Row{text("1"), text("paid"), unchanged()}));
    REQUIRE_FALSE(b.update(orders, Row{text("1"), text("sent"), unchanged()}));
    const auto batch = b.builder.take(false);
    REQUIRE(
        lines_of(batch) ==
        Lines{"close 1 #0", "UPDATE 1|paid|? [100:1,100)", "UPDATE 1|sent|? [100:2,)"}
    );
    for (const auto& fill : batch.stretches[0].tables[0]->fills) REQUIRE(fill.close == 0);
}

TEST_CASE("identical rows without a key end one by one, the newest first", "[history_writer]") {
    const auto table = whole_row_table();
    Building b;
    REQUIRE_FALSE(b.insert(table, order("1", "x")));
    REQUIRE_FALSE(b.insert(table, order("1", "x")));
    for (int i = 0; i < 4; ++i) {
        REQUIRE_FALSE(b.remove(table, OldTupleKind::full, order("1", "x")));
    }
    const auto batch = b.builder.take(false);
    const auto& changes = *batch.stretches[0].tables[0];
    REQUIRE(changes.closes.size() == 2);
    REQUIRE(changes.closes[0].nth == 0);
    REQUIRE(changes.closes[1].nth == 1);
    REQUIRE(line_of(batch, changes, changes.versions[0]) == "INSERT 1|x|- [100:1,100)");
    REQUIRE(line_of(batch, changes, changes.versions[1]) == "INSERT 1|x|- [100:2,100)");
    REQUIRE(changes.versions.size() == 6);
}

TEST_CASE("a TRUNCATE ends the stretch, for keys begin anew after it", "[history_writer]") {
    Building b;
    REQUIRE_FALSE(b.insert(orders, order("1", "new")));
    b.builder.truncate(orders, 2);
    b.seq = 2;
    REQUIRE_FALSE(b.insert(orders, order("1", "again")));
    const auto batch = b.builder.take(false);
    REQUIRE(batch.stretches.size() == 2);
    REQUIRE(
        lines_of(batch) ==
        Lines{"INSERT 1|new|- [100:1,)", "truncate :2", "INSERT 1|again|- [100:3,)"}
    );
}

TEST_CASE("a table that changes its shape ends the stretch", "[history_writer]") {
    Building b;
    REQUIRE_FALSE(b.insert(orders, order("1", "new")));
    REQUIRE_FALSE(b.update(shared(orders_table()), order("1", "paid")));
    const auto batch = b.builder.take(false);
    REQUIRE(batch.stretches.size() == 2);
    REQUIRE(
        lines_of(batch) ==
        Lines{"INSERT 1|new|- [100:1,)", "close 1 #0", "UPDATE 1|paid|- [100:2,)"}
    );
}

TEST_CASE("a change of excluded columns alone makes no version under FULL", "[history_writer]") {
    const auto table = narrow_table();
    Building b;
    REQUIRE_FALSE(
        b.update(table, OldTupleKind::full, order("1", "new", "a"), order("1", "new", "b"))
    );
    REQUIRE(lines_of(b).empty());
}

TEST_CASE("an update that changes nothing at all makes a version under FULL", "[history_writer]") {
    const auto table = narrow_table();
    Building b;
    REQUIRE_FALSE(b.update(table, OldTupleKind::full, order("1", "new"), order("1", "new")));
    REQUIRE(lines_of(b) == Lines{"close 1 #0", "UPDATE 1|new [100:1,)"});
}

TEST_CASE("a version that says what the one before it says is taken back", "[history_writer]") {
    const auto table = narrow_table();
    Building b;
    REQUIRE_FALSE(b.insert(table, order("1", "new", "a")));
    REQUIRE_FALSE(b.update(table, order("1", "new", "b")));
    REQUIRE_FALSE(b.update(table, order("1", "paid", "b")));
    REQUIRE(b.builder.rows() == 2);
    REQUIRE(lines_of(b) == Lines{"INSERT 1|new [100:1,100)", "UPDATE 1|paid [100:3,)"});
}

TEST_CASE("the target is asked whether its version says the same", "[history_writer]") {
    const auto asked_of = [](const Table& table) {
        Building b;
        REQUIRE_FALSE(b.update(table, order("1", "new", "b")));
        return b.builder.take(false).stretches.at(0).tables.at(0)->closes.at(0).unless_same_as;
    };
    REQUIRE(asked_of(narrow_table()) == 0);
    REQUIRE(asked_of(orders) == no_index);
}

TEST_CASE("below the seam a complete old row is kept beside its close", "[history_writer]") {
    auto below = orders_table();
    below.below_seam = true;
    const auto table = shared(std::move(below));
    Building b;
    REQUIRE_FALSE(b.remove(table, OldTupleKind::full, order("1", "old")));
    REQUIRE_FALSE(b.remove(table, OldTupleKind::key, order_key("2")));
    const auto batch = b.builder.take(false);
    const auto& changes = *batch.stretches[0].tables[0];
    REQUIRE(changes.old_rows.size() == 1);
    REQUIRE(changes.closes[0].old_row == 0);
    REQUIRE(changes.closes[1].old_row == no_index);
    const auto& old = changes.old_rows[0];
    REQUIRE(string_of(changes.payload).substr(old.offset, old.size) == "1\told\t-\t");
}

TEST_CASE("behind a gap no old row is taken for older than its change", "[history_writer]") {
    auto below = orders_table();
    below.below_seam = below.ends_missed = true;
    Building b;
    REQUIRE_FALSE(b.remove(shared(std::move(below)), OldTupleKind::full, order("1", "old")));
    const auto batch = b.builder.take(false);
    const auto& changes = *batch.stretches[0].tables[0];
    REQUIRE(changes.old_rows.empty());
    REQUIRE(changes.closes[0].old_row == no_index);
}

TEST_CASE("where ends were missed, a key that begins ends what is open of it", "[history_writer]") {
    auto missed = orders_table();
    missed.ends_missed = true;
    const auto table = shared(missed);
    Building b;
    REQUIRE_FALSE(b.insert(table, order("1", "new")));
    REQUIRE_FALSE(b.update(table, OldTupleKind::key, order_key("2"), order("3", "moved")));
    b.next_transaction();
    REQUIRE_FALSE(b.remove(table, OldTupleKind::key, order_key("1")));
    REQUIRE_FALSE(b.insert(table, order("1", "again")));
    REQUIRE(
        lines_of(b) ==
        Lines{
            "close 1 #0",
            "close 2 #0",
            "close 3 #0",
            "INSERT 1|new|- [100:1,200)",
            "REKEY 2|?|? [100:2,100)",
            "UPDATE 3|moved|- [100:2,)",
            "DELETE 1|new|- [200:1,200)",
            "INSERT 1|again|- [200:2,)"}
    );

    missed.collapse = true;
    Building c;
    REQUIRE_FALSE(c.insert(shared(missed), order("1", "new")));
    REQUIRE(lines_of(c) == Lines{"close 1 #0", "INSERT 1|new|- [100:1,)"});
}

TEST_CASE("a row that enters a row filter leaves to the target what was not sent") {
    Building b;
    REQUIRE_FALSE(b.insert(orders, Row{text("1"), text("new"), unchanged()}));
    REQUIRE_FALSE(b.update(orders, Row{text("1"), text("paid"), unchanged()}));
    const auto batch = b.builder.take(false);
    REQUIRE(lines_of(batch) == Lines{"INSERT 1|new|? [100:1,100)", "UPDATE 1|paid|? [100:2,)"});
    for (const auto& fill : batch.stretches.front().tables.front()->fills) {
        REQUIRE(fill.close == no_index);
    }
}

TEST_CASE("whether keys are equal is asked where bytes cannot tell", "[history_writer]") {
    auto asking = orders_table();
    asking.columns[0].equality = KeyEquality::asked;
    asking.asks_equality = true;
    const auto table = shared(std::move(asking));
    const Row old = order_key("A");
    const Row fresh = order("a", "new");
    const pgoutput::Update change{{}, {}, OldTupleKind::key, old.tuple(), fresh.tuple()};
    for (const bool equal : {false, true}) {
        Building b;
        REQUIRE_FALSE(b.insert(table, order("A", "old")));
        const auto question = b.builder.question(table, change);
        REQUIRE(question.has_value());
        REQUIRE(question->columns.size() == 1);
        REQUIRE(question->columns[0].before == "A");
        REQUIRE(question->columns[0].after == "a");
        b.builder.answer(equal);
        REQUIRE_FALSE(b.builder.update(table, change, 2));
        REQUIRE_FALSE(b.remove(table, OldTupleKind::key, order_key("a")));
        auto wanted = Lines{
            "INSERT A|old|- [100:1,100)",
            "REKEY A|old|- [100:2,100)",
            "UPDATE a|new|- [100:2,100)",
            "DELETE a|new|- [100:2,100)"};
        if (equal) wanted.erase(wanted.begin() + 1);
        REQUIRE(lines_of(b) == wanted);
    }
    // Nothing is asked where the bytes are the same, or no old key was sent.
    Building b;
    const Row same = order("A", "new");
    REQUIRE_FALSE(b.builder.question(table, {{}, {}, OldTupleKind::key, old.tuple(), same.tuple()})
    );
    REQUIRE_FALSE(b.builder.question(table, {{}, {}, OldTupleKind::none, {}, fresh.tuple()}));
    REQUIRE_FALSE(b.builder.question(orders, change));
}

TEST_CASE("the keys of inserted rows count as the batch's", "[history_writer]") {
    const auto table = whole_row_table();
    const std::string note(10'000, 'x');
    Building b;
    for (const char* id : {"1", "2"}) {
        REQUIRE_FALSE(b.insert(table, order(id, "new", note.c_str())));
    }
    // Without a key the whole row stands in the index once more.
    REQUIRE(b.builder.bytes() > 4 * note.size());
    b.builder.truncate(table, 3);
    REQUIRE(b.builder.bytes() < 3 * note.size());
}

TEST_CASE(
    "a batch that continues begins the next one with its last transaction",
    "[history_writer]"
) {
    Building b;
    REQUIRE_FALSE(b.insert(orders, order("1", "new")));
    const auto first = b.builder.take(true);
    REQUIRE(first.continues);
    REQUIRE(b.builder.has_transactions());
    REQUIRE(b.builder.rows() == 0);
    REQUIRE(b.builder.bytes() == 0);
    REQUIRE_FALSE(b.update(orders, order("1", "paid")));
    const auto second = b.builder.take(false);
    REQUIRE(lines_of(second) == Lines{"close 1 #0", "UPDATE 1|paid|- [100:2,)"});
    REQUIRE_FALSE(b.builder.has_transactions());
}
