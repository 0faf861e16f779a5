// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor.h"

#include <algorithm>
#include <array>
#include <optional>

#include "cli/arguments.h"
#include "cli/context.h"
#include "cli/failure.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "ipc/client/socket_path.h"
#include "ipc/error.h"

namespace meshd::cli {
namespace {

struct Told {
    std::string_view check;
    Finding finding;
};

Tone tone_of(Severity severity) {
    switch (severity) {
        case Severity::Ok:
            return Tone::Good;
        case Severity::Note:
            return Tone::Plain;
        case Severity::Warning:
            return Tone::Warn;
        case Severity::Problem:
            return Tone::Bad;
    }
    return Tone::Plain;
}

Severity worst_of(const std::vector<Told>& all) {
    Severity worst = Severity::Ok;
    for (const Told& told : all) {
        worst = std::max(worst, told.finding.severity);
    }
    return worst;
}

std::string print_json(const std::vector<Told>& all) {
    std::string text;
    json::Writer writer(text);
    writer.begin_object()
        .member("worst", severity_name(worst_of(all)))
        .key("findings")
        .begin_array();
    for (const Told& told : all) {
        writer.begin_object()
            .member("check", told.check)
            .member("severity", severity_name(told.finding.severity))
            .member("what", told.finding.what)
            .key("remedy");
        told.finding.remedy.empty() ? writer.null() : writer.string(told.finding.remedy);
        writer.end_object();
    }
    writer.end_array().end_object();
    return text;
}

/// What is well on one line each, with --quiet not at all; a remedy below what is not. A line is
/// never cut: commands are to be copied.
std::string print_text(const std::vector<Told>& all, const Context& context) {
    constexpr std::size_t kSeverityWidth = 7;
    constexpr std::size_t kCheckWidth = 14;
    std::string out;
    const auto padded = [](std::string_view text, std::size_t width) {
        return std::string(text) + std::string(width - std::min(width, text.size()), ' ');
    };
    for (const Told& told : all) {
        const Severity severity = told.finding.severity;
        if (context.is_quiet() && severity <= Severity::Note) {
            continue;
        }
        out += context.style().paint(padded(severity_name(severity), kSeverityWidth),
                                     tone_of(severity)) +
               "  " + padded(told.check, kCheckWidth) + "  " + told.finding.what + "\n";
        if (!told.finding.remedy.empty()) {
            out += std::string(kSeverityWidth + kCheckWidth + 4, ' ') + "-> " +
                   told.finding.remedy + "\n";
        }
    }
    return out;
}

ExitCode tell(Context& context, const std::vector<Told>& all) {
    context.write(context.is_json() ? print_json(all) + "\n" : print_text(all, context));
    switch (worst_of(all)) {
        case Severity::Ok:
        case Severity::Note:
            return ExitCode::Ok;
        case Severity::Warning:
            return ExitCode::Partial;
        case Severity::Problem:
            return ExitCode::Refused;
    }
    return ExitCode::Ok;
}

ExitCode examine_absence(Context& context, const ipc::ClientError& error) {
    std::vector<Told> all;
    if (error.kind == ipc::ClientError::Kind::NoDaemon) {
        for (Finding& finding : examine_silence(error.tried)) {
            all.push_back({"daemon", std::move(finding)});
        }
    } else {
        all.push_back({"daemon",
                       {Severity::Problem, explain(error).text,
                        "sudo journalctl -u meshd -n 30; sudo systemctl restart meshd"}});
    }
    const ExitCode told = tell(context, all);
    const ExitCode failed = explain(error).code;
    return failed == ExitCode::NoDaemon || failed == ExitCode::NotPermitted ? failed : told;
}

/// An older daemon does not know the method, or this user may not.
bool is_expected(const ipc::ClientError& error) {
    const auto code = static_cast<ipc::ErrorCode>(error.code);
    return error.kind == ipc::ClientError::Kind::Remote &&
           (code == ipc::ErrorCode::MethodNotFound || code == ipc::ErrorCode::NotPermitted);
}

tl::expected<std::optional<ipc::Reply>, ipc::ClientError> fetch(Context& context,
                                                                std::string_view method) {
    auto reply = context.try_call(method);
    if (reply) {
        return std::optional<ipc::Reply>(std::move(*reply));
    }
    if (is_expected(reply.error())) {
        return std::optional<ipc::Reply>();
    }
    return tl::unexpected(std::move(reply.error()));
}

ExitCode run(Context& context, const Arguments&) {
    constexpr std::array<std::string_view, 6> kMethods = {
        "mesh.status", "mesh.stats", "mesh.nodes", "mesh.peers", "mesh.topology", "mesh.diagnosis"};
    std::array<std::optional<ipc::Reply>, kMethods.size()> replies;
    for (std::size_t i = 0; i < kMethods.size(); ++i) {
        auto reply = fetch(context, kMethods[i]);
        if (!reply) {
            return examine_absence(context, reply.error());
        }
        replies[i] = std::move(*reply);
    }
    const auto result = [&](std::size_t i) {
        return replies[i] ? replies[i]->result() : json::Value();
    };
    const DoctorFacts facts{result(0), result(1), result(2), result(3), result(4), result(5)};
    std::vector<Told> all;
    for (const Check& check : doctor_checks()) {
        Findings findings = check.run(facts);
        if (findings.empty()) {
            findings.push_back({Severity::Ok, std::string(check.all_well), ""});
        }
        for (Finding& finding : findings) {
            if (finding.remedy.empty() && finding.severity > Severity::Note) {
                finding.remedy = check.remedy;
            }
            all.push_back({check.name, std::move(finding)});
        }
    }
    for (const std::string& path : context.sockets()) {
        for (Finding& finding : examine_socket(path)) {
            all.push_back({"permissions", std::move(finding)});
        }
    }
    return tell(context, all);
}

}  // namespace

constexpr Verb kDoctorVerb = {
    .name = "doctor",
    .summary = "Look for what is wrong with this box or its mesh, and say what to do",
    .arguments = {},
    .options = {},
    .example =
        "meshctl doctor\n"
        "meshctl doctor --quiet || echo 'something is wrong'\n"
        "meshctl doctor --json | jq '.findings[] | select(.severity == \"problem\")'",
    .run = run,
    .notes =
        "Behind -> stands what to do. It judges what this box sees: have it run on both ends of a\n"
        "link. Where no daemon answers it says which sockets were tried, who holds them, and how\n"
        "to start one. Exit codes: 0 all is well, 4 there are warnings, 1 there are problems, 3 "
        "no\n"
        "daemon, 5 not permitted.",
};

}  // namespace meshd::cli
