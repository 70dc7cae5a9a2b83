#include "pq/conninfo.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace pgchronicle::pq;

namespace {

ConnectOptions dsn(const std::string& text) {
    ConnectOptions options;
    options.dsn = text;
    return options;
}

Error refusal(const std::string& text) {
    try {
        (void)attempts(dsn(text));
    } catch (const Error& error) {
        return error;
    }
    FAIL("not refused: " << text);
    throw;
}

bool repeats(const Error& error, const std::string& word) {
    return (error.primary() + error.detail() + error.hint()).find(word) != std::string::npos;
}

}  // namespace

TEST_CASE("pinned settings come after those of the DSN, so that they win", "[pq]") {
    ConnectOptions options = dsn("host=h options='-c datestyle=German -c work_mem=1MB'");
    options.settings = {{"synchronous_commit", "off"}};
    const std::string text = value_of(attempts(options).at(0), "options");
    CHECK(
        text.starts_with("-c datestyle=German -c work_mem=1MB -c search_path= -c datestyle=ISO,MDY")
    );
    CHECK(text.find(" -c extra_float_digits=3") != std::string::npos);
    CHECK(text.find(" -c bytea_output=hex") != std::string::npos);
    CHECK(text.find(" -c lc_monetary=C -c array_nulls=on") != std::string::npos);
    CHECK(text.find(R"( -c default_transaction_isolation=read\ committed)") != std::string::npos);
    CHECK(text.ends_with(" -c synchronous_commit=off"));
}

TEST_CASE("a setting's spaces and backslashes stay part of its value", "[pq]") {
    ConnectOptions options = dsn("");
    options.settings = {{"application.note", "a b\\c"}};
    CHECK(value_of(attempts(options).at(0), "options").ends_with(R"( -c application.note=a\ b\\c)")
    );
}

TEST_CASE("what the DSN says of time limits stands, the rest is ours", "[pq]") {
    ConnectOptions options = dsn("connect_timeout=3 keepalives_idle=7");
    options.connect_timeout = std::chrono::milliseconds{1500};
    options.tcp_user_timeout = std::chrono::milliseconds{9000};
    const Keywords keywords = attempts(options).at(0);
    CHECK(value_of(keywords, "connect_timeout") == "3");
    CHECK(value_of(keywords, "keepalives_idle") == "7");
    CHECK(value_of(keywords, "keepalives_interval") == "3");
    CHECK(value_of(keywords, "tcp_user_timeout") == "9000");
}

TEST_CASE("the options' name and password win over the DSN's", "[pq]") {
    ConnectOptions options = dsn("application_name=theirs password=theirs");
    options.application_name = "ours";
    options.password = "secret";
    options.replication = true;
    const Keywords keywords = attempts(options).at(0);
    CHECK(value_of(keywords, "application_name") == "ours");
    CHECK(value_of(keywords, "password") == "secret");
    CHECK(value_of(keywords, "replication") == "database");
    CHECK(value_of(keywords, "client_encoding") == "UTF8");
}

TEST_CASE("each host of a list is an attempt of its own", "[pq]") {
    const auto tries = attempts(dsn("postgresql://u@a:1,b:2/d"));
    REQUIRE(tries.size() == 2);
    CHECK(value_of(tries[0], "host") == "a");
    CHECK(value_of(tries[0], "port") == "1");
    CHECK(value_of(tries[1], "host") == "b");
    CHECK(value_of(tries[1], "port") == "2");
    CHECK(value_of(tries[1], "dbname") == "d");

    const auto one_port = attempts(dsn("host=a,b,c port=5"));
    REQUIRE(one_port.size() == 3);
    CHECK(value_of(one_port[2], "port") == "5");

    CHECK(attempts(dsn("host=a,b port=1,2,3")).size() == 1);  // libpq refuses these itself

    const auto standbys_first = attempts(dsn("host=a,b target_session_attrs=prefer-standby"));
    REQUIRE(standbys_first.size() == 4);
    CHECK(value_of(standbys_first[1], "target_session_attrs") == "standby");
    CHECK(value_of(standbys_first[2], "target_session_attrs") == "any");
}

TEST_CASE("a DSN that cannot be read halts and repeats nothing of a password", "[pq]") {
    const std::vector<std::string> cases{
        "postgresql://u:s3cr/et@h/d",
        "postgresql://u:s3@cr3t@h/d",
        "postgresql://u:s3%zzcret@h/d",
        "postgres://u:1/s3cret@h/d",
        "host=h password=s3 cret",
        "host=h password=s3 cret=s3",
        "host=h passwort=s3cret",
        "host=h port=s3cret",
    };
    for (const std::string& text : cases) {
        CAPTURE(text);
        const Error error = refusal(text);
        CHECK(error.disposition() == Disposition::halt);
        for (const char* part : {"s3", "cr3", "cret", "et@"}) CHECK_FALSE(repeats(error, part));
    }
}

TEST_CASE("a DSN without a password is refused with libpq's reason", "[pq]") {
    CHECK(repeats(refusal("hots=h"), "invalid connection option \"hots\""));
}

TEST_CASE("URIs that are right are not refused", "[pq]") {
    for (const char* text :
         {"postgresql://u:p%40w%2Fd@h:5432/d?options=-c%20geqo%3Doff",
          "postgresql://",
          "postgresql:///d?host=/run&user=a@b",
          "host=/run dbname=a@b"}) {
        CAPTURE(text);
        CHECK_NOTHROW(attempts(dsn(text)));
    }
}

TEST_CASE("a refused connection's text gives its SQLSTATE", "[pq]") {
    const auto fields = parse_error_message(
        "connection to server at \"localhost\" (::1), port 5433 failed: Connection refused\n"
        "\tIs the server running on that host and accepting TCP/IP connections?\n"
        "connection to server at \"localhost\" (127.0.0.1), port 5433 failed: FATAL:  28P01: "
        "password authentication failed for user \"u\"\n"
        "LOCATION:  auth_failed, auth.c:326\n"
    );
    CHECK(fields.sqlstate == "28P01");
    CHECK(
        fields.primary ==
        "connection to server at \"localhost\" (127.0.0.1), port 5433 failed: FATAL:  password "
        "authentication failed for user \"u\""
    );
    CHECK(
        fields.detail ==
        "Also, connection to server at \"localhost\" (::1), port 5433 failed: Connection refused."
    );
    CHECK(fields.hint.empty());
}

TEST_CASE("what the server said before it hung up is the reason", "[pq]") {
    const auto fields = parse_error_message(
        "FATAL:  57P01: terminating connection due to administrator command\n"
        "LOCATION:  ProcessInterrupts, postgres.c:3247\n"
        "server closed the connection unexpectedly\n"
        "\tThis probably means the server terminated abnormally\n"
        "\tbefore or while processing the request.\n"
    );
    CHECK(fields.sqlstate == "57P01");
    CHECK(fields.primary == "terminating connection due to administrator command");
    CHECK(fields.hint.empty());
}

TEST_CASE("text without a SQLSTATE is taken as it is, and made printable", "[pq]") {
    const auto fields = parse_error_message("odd: \x1b[31mtext\r\n\tdo this\n\tand that\n");
    CHECK(fields.sqlstate.empty());
    CHECK(fields.primary == "odd: ?[31mtext?");
    CHECK(fields.hint == "do this and that");
    CHECK_FALSE(parse_error_message("").primary.empty());
    CHECK(parse_error_message("DETAIL:  only this\n").detail == "only this");
    CHECK(parse_error_message("DETAIL:  only this\n").primary == "the server gives no reason");
    CHECK(parse_error_message("FATAL:  57P03: \n").primary == "the server gives no reason");
}

TEST_CASE("libpq's advice is no reason of its own", "[pq]") {
    const auto fields = parse_error_message(
        "connection to server at \"db1\" (10.0.0.1), port 5432 failed: root certificate file "
        "\"/etc/ca.crt\" does not exist\n"
        "Either provide the file or change sslmode to disable server certificate verification.\n"
    );
    CHECK(fields.primary.ends_with("root certificate file \"/etc/ca.crt\" does not exist"));
    CHECK(fields.hint.starts_with("Either provide the file"));
    CHECK(needs_other_configuration(fields.primary));
}

TEST_CASE("a refusal that another configuration mends is told from one that may pass", "[pq]") {
    const std::string begin = "connection to server at \"db1\" (10.0.0.1), port 5432 failed: ";
    for (const char* text :
         {"SSL error: certificate verify failed",
          "server certificate for \"db2\" does not match host name \"db1\"",
          "could not get server's host name from server certificate",
          "root certificate file \"/etc/ca.crt\" does not exist",
          "server does not support SSL, but SSL was required",
          "channel binding required, but SSL not in use",
          "channel binding required but not supported by server's authentication request",
          "authentication method requirement \"scram-sha-256\" failed: server requested a "
          "cleartext "
          "password",
          "private key file \"/etc/client.key\" has group or world access",
          "could not read certificate file \"/etc/client.crt\": no start line",
          "SSL error: tlsv1 alert unknown ca",
          "SSL error: sslv3 alert certificate expired",
          "SSL error: unsupported protocol",
          "invalid sslmode value: \"verify-ful\""}) {
        CAPTURE(text);
        CHECK(needs_other_configuration(begin + text));
    }
    for (const char* text :
         {"Connection refused",
          "timeout expired",
          "server closed the connection unexpectedly",
          "SSL SYSCALL error: Connection reset by peer",
          "SSL connection has been closed unexpectedly",
          "could not send SSL negotiation packet: Broken pipe"}) {
        CAPTURE(text);
        CHECK_FALSE(needs_other_configuration(begin + text));
    }
}
