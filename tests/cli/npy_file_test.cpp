// SPDX-License-Identifier: Apache-2.0
#include "cli/npy_file.h"

#include <doctest/doctest.h>

#include <fstream>

#include "cli/embedding_file.h"
#include "tests/cli/fake_daemon.h"

namespace meshd::cli {
namespace {

using namespace std::string_literals;

/// As numpy.save writes it, but for the padding of the header.
std::string npy(const std::string& header, const std::string& values, char major = 1) {
    std::string out = "\x93NUMPY"s + major + '\0';
    out += static_cast<char>(header.size());
    out.append(major == 1 ? 1 : 3, '\0');
    return out + header + values;
}

std::string header(const std::string& descr, const std::string& shape) {
    return "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }   \n";
}

// 1, -2 and 0.5.
const std::string kHalves = "\x00\x3c\x00\xc0\x00\x38"s;
const std::string kFloats = "\x00\x00\x80\x3f\x00\x00\x00\xc0\x00\x00\x00\x3f"s;
const std::string kDoubles =
    "\x00\x00\x00\x00\x00\x00\xf0\x3f\x00\x00\x00\x00\x00\x00\x00\xc0"
    "\x00\x00\x00\x00\x00\x00\xe0\x3f"s;

TEST_CASE("npy file: values of two, four and eight bytes are taken, of eight as four") {
    struct Kind {
        const char* descr;
        const std::string* values;
        const char* form;
        const std::string* bytes;
    };
    const Kind kinds[] = {{"<f2", &kHalves, "f16", &kHalves},
                          {"<f4", &kFloats, "f32", &kFloats},
                          {"<f8", &kDoubles, "f32", &kFloats}};
    for (const Kind& kind : kinds) {
        for (const char major : {'\1', '\2', '\3'}) {
            CAPTURE(kind.descr);
            const auto vector = parse_npy(npy(header(kind.descr, "(3,)"), *kind.values, major));
            REQUIRE(vector);
            CHECK(vector->form == kind.form);
            CHECK(vector->bytes == *kind.bytes);
        }
    }
}

TEST_CASE("npy file: the other byte order, a row, a column and a bare order of members are taken") {
    const auto big = parse_npy(npy(header(">f2", "(3,)"), "\x3c\x00\xc0\x00\x38\x00"s));
    REQUIRE(big);
    CHECK(big->bytes == kHalves);
    for (const char* shape : {"(1, 3)", "(3, 1)", "(1, 3, 1)", "( 3 , )"}) {
        CAPTURE(shape);
        CHECK(parse_npy(npy(header("<f2", shape), kHalves)).has_value());
    }
    CHECK(parse_npy(npy(R"({"shape":(3,),"fortran_order":True,"descr":"<f2"})", kHalves)));
}

TEST_CASE("npy file: what is no single vector of floats is refused and says why") {
    struct Wrong {
        std::string content;
        const char* says;
    };
    const Wrong all[] = {
        {npy(header("<i4", "(3,)"), kFloats), "values '<i4'"},
        {npy(header("|f4", "(3,)"), kFloats), "values '|f4'"},
        {npy(header("<c8", "(3,)"), kDoubles), "values '<c8'"},
        {npy(header("<f4", "(3, 2)"), kDoubles), "no vector or several"},
        {npy(header("<f4", "(0,)"), ""), "no vector or several"},
        {npy(header("<f4", "()"), kFloats), "no vector or several"},
        {npy(header("<f4", "(4,)"), kFloats), "12 bytes of 4 values of 4 bytes"},
        {npy(header("<f4", "(3,)"), kFloats + "x"), "13 bytes of 3 values of 4 bytes"},
        {npy(header("<f4", "(99999999999999999999,)"), kFloats), "makes no sense"},
        {npy(header("<f4", "(-3,)"), kFloats), "makes no sense"},
        {npy("{'descr': [('a', '<f4')], 'shape': (3,)}", kFloats), "structured"},
        {npy("{'descr': '<f4'}", kFloats), "makes no sense"},
        {npy("{'shape': (3,)}", kFloats), "makes no sense"},
        {npy("{'descr': '<f4', 'shape': (3,), 'x': 1}", kFloats), "makes no sense"},
        {npy(header("<f4", "(3,)"), kFloats, '\4'), "of version 4"},
        {"\x93NUMPY", "ends within the header"},
    };
    for (const Wrong& wrong : all) {
        const auto vector = parse_npy(wrong.content);
        REQUIRE(!vector);
        CHECK_MESSAGE(vector.error().find(wrong.says) != std::string::npos, vector.error());
    }
}

TEST_CASE("npy file: cut off at any byte it is refused") {
    const std::string whole = npy(header("<f2", "(3,)"), kHalves);
    REQUIRE(parse_npy(whole));
    for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
        CAPTURE(bytes);
        CHECK(!parse_npy(whole.substr(0, bytes)));
    }
}

TEST_CASE("embedding file: npy is told by its content, raw values by the ending or by asking") {
    const TemporaryDirectory directory;
    const auto file = [&](const char* name, const std::string& content) {
        const std::string path = directory.path() + "/" + name;
        std::ofstream(path, std::ios::binary) << content;
        return path;
    };
    CHECK(embedding_of_file(file("a.bin", npy(header("<f2", "(3,)"), kHalves))) ==
          R"({"f16":"ADwAwAA4"})");
    CHECK(embedding_of_file(file("b.npy", npy(header("<f8", "(3,)"), kDoubles))) ==
          R"({"f32":"AACAPwAAAMAAAAA/"})");
    CHECK(embedding_of_file(file("c.f32", kFloats)) == R"({"f32":"AACAPwAAAMAAAAA/"})");
    const std::string nameless = file("d", kFloats);
    CHECK(embedding_of_file(nameless, true) == R"({"f32":"AACAPwAAAMAAAAA/"})");
    CHECK(embedding_of_file(nameless).error().find("or by --raw") != std::string::npos);
    CHECK(embedding_of_file(file("e", kFloats + "x"), true).error() ==
          directory.path() + "/e: 13 bytes are no whole number of f32 values of 4 bytes");
    CHECK(embedding_of_file(file("f.npy", npy(header("<i4", "(3,)"), kFloats))).error() ==
          directory.path() +
              "/f.npy is an npy file of values '<i4'; it may be float16, float32 or float64");
}

}  // namespace
}  // namespace meshd::cli
