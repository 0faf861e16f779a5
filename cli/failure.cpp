// SPDX-License-Identifier: Apache-2.0
#include "cli/failure.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>

#include "cli/format.h"
#include "ipc/client/socket_path.h"
#include "ipc/error.h"

namespace meshd::cli {
namespace {

/// Group that the installed daemon gives its socket.
constexpr const char* kDefaultGroup = "meshd";

std::string_view words_of(int error) {
    switch (error) {
        case ENOENT:
            return "no such file";
        case ECONNREFUSED:
            return "nobody listens there";
        case EACCES:
            return "permission denied";
        case EAGAIN:
            return "the daemon is too busy to accept";
        case ENAMETOOLONG:
            return "longer than a socket's path may be";
        default:
            return std::strerror(error);
    }
}

std::string permission_advice(const std::string& path) {
    if (const auto directory = ipc::closed_directory(path)) {
        return "the directory " + printable(*directory) + " is not open to this user";
    }
    const auto access = ipc::access_of(path);
    if (access && access->group.empty()) {
        return "it is for user '" + access->user + "' and root alone";
    }
    const std::string group = access ? access->group : std::string(kDefaultGroup);
    return "only root and members of group '" + group + "' may; join with\n  sudo usermod -aG " +
           group + " \"$USER\"\nand log in again";
}

Failure no_daemon(const ipc::ClientError& error) {
    Failure out;
    out.code = ExitCode::NoDaemon;
    out.text = "no meshd answers";
    for (const ipc::SocketAttempt& attempt : error.tried) {
        const bool is_other = ipc::is_other_file(attempt.path);
        out.text += "\n  " + printable(attempt.path) + ": " +
                    std::string(is_other ? "is no socket" : words_of(attempt.error));
    }
    const auto denied = std::find_if(error.tried.begin(), error.tried.end(), [](const auto& tried) {
        return tried.error == EACCES && !ipc::is_other_file(tried.path);
    });
    if (denied != error.tried.end()) {
        out.code = ExitCode::NotPermitted;
        out.text += "\n" + permission_advice(denied->path);
        return out;
    }
    const auto& tried = error.tried;
    const bool is_named = tried.size() == 1 && tried[0].path != "/run/meshd/meshd.sock";
    if (is_named && ipc::is_other_file(tried[0].path)) {
        return out;  // meshd would refuse that path as well
    }
    out.text += "\nstart one with\n  meshd";
    if (is_named) {
        out.text += " --socket " + printable(tried[0].path);
    }
    return out;
}

/// Empty where there is none.
std::string short_value(const json::Value& value) {
    constexpr std::size_t kWidth = 60;
    return value.exists() && !value.is_null() ? cut(print_value(value), kWidth) : std::string();
}

bool is_word(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

/// True where the sentence has it, as no part of a longer word.
bool says(const std::string& sentence, const std::string& word) {
    for (std::size_t at = sentence.find(word); at != std::string::npos;
         at = sentence.find(word, at + 1)) {
        const std::size_t end = at + word.size();
        const bool begins = at == 0 || !is_word(sentence[at - 1]) || !is_word(word.front());
        const bool ends =
            end == sentence.size() || !is_word(sentence[end]) || !is_word(word.back());
        if (begins && ends) {
            return true;
        }
    }
    return false;
}

/// What the daemon calls a value that is too long to be shown.
bool is_type_word(const std::string& got) {
    return got == "object" || got == "array" || got == "string" || got == "number";
}

/// A sentence of the daemon is for those who call its methods; here there are verbs.
std::string with_verbs(std::string text) {
    struct Verb {
        std::string_view method;
        std::string_view verb;
    };
    constexpr std::array<Verb, 7> kVerbs = {{{"keys.new", "meshctl key new"},
                                             {"keys.join", "meshctl key join"},
                                             {"keys.list", "meshctl key ls"},
                                             {"keys.rotate", "meshctl key rotate"},
                                             {"keys.remove", "meshctl key rm"},
                                             {"keys.replace", "meshctl key replace"},
                                             {"mesh.discover", "meshctl discover"}}};
    for (const Verb& one : kVerbs) {
        for (std::size_t at = text.find(one.method); at != std::string::npos;
             at = text.find(one.method, at + one.verb.size())) {
            text.replace(at, one.method.size(), one.verb);
        }
    }
    return text;
}

/// Nothing was wrong with the call, but the other box did not answer in time.
bool is_too_late(ipc::ErrorCode code) {
    using enum ipc::ErrorCode;
    return code == NodeUnreachable || code == NoAnswer || code == Undeliverable ||
           code == NotAcknowledged;
}

Failure refused(const ipc::ClientError& error) {
    Failure out;
    out.text = with_verbs(printable(error.message));
    const auto code = static_cast<ipc::ErrorCode>(error.code);
    const auto parsed = json::Document::parse(error.data, json::Limits{});
    const json::Value data = parsed ? parsed->root() : json::Value();
    // The daemon's sentence about a param may name it and say already what it may be.
    const std::string field = short_value(data["field"]);
    const bool is_named = error.message.find(field) != std::string::npos;
    const bool is_about_param = code == ipc::ErrorCode::InvalidParams && !is_named;
    if (is_about_param) {
        out.text += ": " + field;
    }
    if (const std::string got = short_value(data["got"]);
        !got.empty() && !is_type_word(got) && !says(error.message, got)) {
        out.text += ", got " + got;
    }
    if (const std::string expected = short_value(data["expected"]);
        is_about_param && !expected.empty()) {
        out.text += ", expected " + expected;
    }
    if (data["did_you_mean"].is_string()) {
        out.text += "; did you mean '" + print_value(data["did_you_mean"]) + "'?";
    }
    for (const json::Value& problem : data["problems"]) {
        if (error.message.find(problem.as_string().value_or("")) == std::string::npos) {
            out.text += "\n  " + print_value(problem);
        }
    }
    if (code == ipc::ErrorCode::Overloaded && data["retry_after_ms"].exists()) {
        out.text += "; try again in " + print_duration_ms(data["retry_after_ms"]);
    } else if (code == ipc::ErrorCode::HasLeft) {
        out.text += says(out.text, "meshctl discover") ? "" : "\nrejoin with\n  meshctl discover";
    } else if (is_too_late(code)) {
        out.code = ExitCode::Partial;
    } else if (code == ipc::ErrorCode::NotPermitted) {
        out.code = ExitCode::NotPermitted;
        const bool says_who = error.message.find("meshd-admin") != std::string::npos;
        out.text += says_who ? "\n"
                             : "\nonly root, the daemon's user and members of group 'meshd-admin' "
                               "may; ";
        out.text += "join with\n  sudo usermod -aG meshd-admin \"$USER\"\nand log in again";
    }
    return out;
}

}  // namespace

Failure explain(const ipc::ClientError& error) {
    switch (error.kind) {
        case ipc::ClientError::Kind::NoDaemon:
            return no_daemon(error);
        case ipc::ClientError::Kind::Closed:
            return {ExitCode::NoDaemon, error.message + " before it answered"};
        case ipc::ClientError::Kind::Timeout:
            return {ExitCode::Partial,
                    "the daemon did not answer in time (--timeout S waits longer)"};
        case ipc::ClientError::Kind::Interrupted:
            return {ExitCode::Partial, "interrupted"};
        case ipc::ClientError::Kind::Protocol:
            return {ExitCode::Refused, "what answers is no meshd: " + printable(error.message)};
        case ipc::ClientError::Kind::Remote:
            return refused(error);
    }
    return {};
}

}  // namespace meshd::cli
