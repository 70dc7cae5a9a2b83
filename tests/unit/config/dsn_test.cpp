#include "config/dsn.hpp"

#include <catch2/catch.hpp>

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace {

using namespace pgchronicle::config;

/// Splits what must be readable.
DsnParts parts_of(const std::string& dsn) {
    auto split = split_dsn(dsn);
    if (const auto* const error = std::get_if<DsnError>(&split))
        FAIL(dsn << ": " << error->message);
    return std::get<DsnParts>(split);
}

struct Case {
    std::string dsn;
    std::string left;
    std::optional<std::string> password;
};

void check(const std::vector<Case>& cases) {
    for (const auto& [dsn, left, password] : cases) {
        CAPTURE(dsn);
        const auto parts = parts_of(dsn);
        CHECK(parts.dsn == left);
        CHECK(parts.password.has_value() == password.has_value());
        if (parts.password && password) CHECK(parts.password->reveal() == *password);
    }
}

struct Refused {
    std::string dsn;
    std::string message;
};

void check_refused(const std::vector<Refused>& cases) {
    for (const auto& [dsn, message] : cases) {
        CAPTURE(dsn);
        const auto split = split_dsn(dsn);
        const auto* const error = std::get_if<DsnError>(&split);
        REQUIRE(error != nullptr);
        CHECK(error->message == message);
        CHECK(error->message.find("hunter") == std::string::npos);
        CHECK(error->hint.find("hunter") == std::string::npos);
    }
}

}  // namespace

TEST_CASE("a connection string without a password stays as it is", "[config]") {
    check({
        {"host=localhost port=5432 dbname=finance_db user=cdc_user",
         "host=localhost port=5432 dbname=finance_db user=cdc_user",
         {}},
        {"dbname = 'a b' options='-c x=y'", "dbname = 'a b' options='-c x=y'", {}},
        {R"(user=back\ slash service=x)", R"(user=back\ slash service=x)", {}},
        {"passfile=/etc/pgpass", "passfile=/etc/pgpass", {}},
        {"postgresql://analytics_user@localhost:5433/analytics_db",
         "postgresql://analytics_user@localhost:5433/analytics_db",
         {}},
        {"postgres://a,b:5433,[::1]:5432/db?sslmode=require&target_session_attrs=read-write",
         "postgres://a,b:5433,[::1]:5432/db?sslmode=require&target_session_attrs=read-write",
         {}},
        {"postgresql:///db?host=/run/postgresql&ssl=true",
         "postgresql:///db?host=/run/postgresql&ssl=true",
         {}},
        {"postgresql://", "postgresql://", {}},
    });
}

TEST_CASE("the password leaves a keyword string, however it is written", "[config]") {
    check({
        {"host=a password=hunter2 user=b", "host=a user=b", "hunter2"},
        {"password=hunter2", "", "hunter2"},
        {"host=a password = hunter2", "host=a", "hunter2"},
        {"host=a password='hunter 2' user=b", "host=a user=b", "hunter 2"},
        {"password='hunter2'host=a", "host=a", "hunter2"},
        {"host='a'password='hunter2'user=b", "host='a' user=b", "hunter2"},
        {R"(password='it\'s \\ host=x' user=b)", "user=b", R"(it's \ host=x)"},
        {R"(password=hun\ ter\'2 user=b)", "user=b", "hun ter'2"},
        {"password='' host=a", "host=a", ""},
        {"password=\thunter2\nhost=a", "host=a", "hunter2"},
        {"password=first host=a password=hunter2", "host=a", "hunter2"},
        {"user='password=x' password=hunter2", "user='password=x'", "hunter2"},
    });
}

TEST_CASE("the password leaves a URI, however it is written", "[config]") {
    check({
        {"postgresql://u:hunter2@h:5432/db", "postgresql://u@h:5432/db", "hunter2"},
        {"postgres://u:hunter2@h/db?sslmode=require",
         "postgres://u@h/db?sslmode=require",
         "hunter2"},
        {"postgresql://u:p%40ss%2Fw%25@h/db", "postgresql://u@h/db", "p@ss/w%"},
        {"postgresql://u:a:b@h", "postgresql://u@h", "a:b"},
        {"postgresql://u:@h", "postgresql://u@h", {}},
        {"postgresql://:hunter2@h", "postgresql://@h", "hunter2"},
        {"postgresql://u%40corp:hunter2@h", "postgresql://u%40corp@h", "hunter2"},
        {"postgresql://h/db?password=hunter2", "postgresql://h/db", "hunter2"},
        {"postgresql://h/db?user=u&password=hunter%202&port=1",
         "postgresql://h/db?user=u&port=1",
         "hunter 2"},
        {"postgresql://h/db?p%61ssword=hunter2&user=u", "postgresql://h/db?user=u", "hunter2"},
        {"postgresql://u:old@h/db?password=hunter2", "postgresql://u@h/db", "hunter2"},
        {"postgresql://u:hun?ter2@h/db", "postgresql://u@h/db", "hun?ter2"},
    });
}

TEST_CASE("a keyword string that cannot be read is refused without quoting it", "[config]") {
    check_refused({
        {"finance_db", "connection string lacks \"=\" after a keyword"},
        {"host=a password=two hunter", "connection string lacks \"=\" after a keyword"},
        {"host=a password='hunter2", "connection string has a quote that is not closed"},
        {R"(password='hunter2\')", "connection string has a quote that is not closed"},
        {"host=a pasword=hunter2", "connection string holds an unknown keyword"},
        {"host=a password=two hunter=2", "connection string holds an unknown keyword"},
        {"=hunter", "connection string holds an unknown keyword"},
        {"sslpassword=hunter2", "connection string holds a secret other than the password"},
        {"oauth_client_secret=hunter2", "connection string holds a secret other than the password"},
        {"host=a replication=database", "connection string must not hold \"replication\""},
    });
}

TEST_CASE("a misspelt keyword gets a suggestion", "[config]") {
    const auto split = split_dsn("host=a pasword=hunter2");
    REQUIRE(std::get<DsnError>(split).hint == "Did you mean \"password\"?");
}

TEST_CASE("a URI whose password is not percent-encoded is refused without quoting it", "[config]") {
    check_refused({
        {"postgresql://u:p@hunter2@h/db", "connection URI has an @ in the wrong place"},
        {"postgresql://u:hunter/2@h/db", "connection URI has an @ in the wrong place"},
        {"postgresql://u:hunter/2", "connection URI has a port that is not a number"},
        {"postgresql://u:12/hunter@h/db", "connection URI has an @ in the wrong place"},
        {"postgresql://h?user=u&password=hunter@2", "connection URI has an @ in the wrong place"},
        {"postgresql://u:hunter%2@h/db", "connection URI has a malformed percent sign"},
        {"postgresql://u:hunter%zz@h/db", "connection URI has a malformed percent sign"},
        {"postgresql://u:hunter%00@h/db", "connection URI has a malformed percent sign"},
        {"postgresql://u%4@h/db", "connection URI has a malformed percent sign"},
        {"postgresql://h%/db", "connection URI has a malformed percent sign"},
        {"postgresql://h/db?hunter2", "connection URI has a parameter that is not keyword=value"},
        {"postgresql://h/db?password=hunter=2",
         "connection URI has a parameter that is not keyword=value"},
        {"postgresql://h/db?pasword=hunter2", "connection string holds an unknown keyword"},
        {"postgresql://h/db?sslpassword=hunter2",
         "connection string holds a secret other than the password"},
        {"postgresql://[::1/db", "connection URI has a port that is not a number"},
    });
}

TEST_CASE("a redacted connection string shows all but the password", "[config]") {
    REQUIRE(redacted("host=a password=hunter2 user=b") == "host=a user=b");
    REQUIRE(redacted("postgresql://u:hunter2@h/db") == "postgresql://u@h/db");
    REQUIRE(redacted("host=a password='hunter2") == "***");
}
