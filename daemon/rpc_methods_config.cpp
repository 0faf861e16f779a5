// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <utility>
#include <vector>

#include "daemon/rpc_methods.h"
#include "ipc/suggest.h"

namespace meshd {

using ipc::CallReply;
using ipc::Error;
using ipc::ErrorCode;

namespace {

std::string_view origin_name(ConfigOrigin origin) {
    switch (origin) {
        case ConfigOrigin::Default:
            return "default";
        case ConfigOrigin::File:
            return "file";
        case ConfigOrigin::Flag:
            return "flag";
        case ConfigOrigin::Set:
            return "set";
        case ConfigOrigin::Call:
            return "call";
    }
    return {};
}

void write_key(json::Writer& writer, const ConfigKeyView& key) {
    writer.begin_object()
        .member("key", key.key)
        .member_raw("value", key.value)
        .member_raw("default", key.default_value)
        .member("origin", origin_name(key.origin))
        .key("place");
    key.place.empty() ? writer.null() : writer.string(key.place);
    writer.member("live", key.is_live).key("pending");
    key.pending.empty() ? writer.null() : writer.raw(key.pending);
    writer.end_object();
}

void write_texts(json::Writer& writer, std::string_view name,
                 const std::vector<std::string>& texts) {
    writer.key(name).begin_array();
    for (const std::string& text : texts) {
        writer.string(text);
    }
    writer.end_array();
}

Error no_configuration() {
    Error error;
    error.message = "this process has no configuration";
    return error;
}

}  // namespace

CallReply RpcMethods::get_config(const ipc::Params& params) const {
    if (config_ == nullptr) {
        return CallReply::failed(no_configuration());
    }
    const std::string wanted(params.string("key").value_or(""));
    const std::vector<ConfigKeyView> all = config_->keys();
    std::string text;
    json::Writer writer(text);
    writer.begin_object().key("keys").begin_array();
    bool is_found = false;
    std::vector<std::string_view> names;
    for (const ConfigKeyView& key : all) {
        names.push_back(key.key);
        if (wanted.empty() || key.key == wanted || key.key.starts_with(wanted + ".")) {
            is_found = true;
            write_key(writer, key);
        }
    }
    if (!is_found) {
        Error error = ipc::invalid_param("key", params.value("key"), "a configuration key");
        error.did_you_mean = ipc::did_you_mean(wanted, names);
        return CallReply::failed(std::move(error));
    }
    writer.end_array();
    write_texts(writer, "files", config_->files());
    writer.end_object();
    return CallReply::done(std::move(text));
}

CallReply RpcMethods::reload_config() {
    if (config_ == nullptr) {
        return CallReply::failed(no_configuration());
    }
    auto reload = config_->reload();
    if (!reload) {
        Error error;
        error.code = ErrorCode::ConfigInvalid;
        error.message = "nothing has changed: " + reload.error().front();
        if (reload.error().size() > 1) {
            error.message += " (and " + std::to_string(reload.error().size() - 1) + " more)";
        }
        error.problems = std::move(reload.error());
        return CallReply::failed(std::move(error));
    }
    std::string text;
    json::Writer writer(text);
    writer.begin_object();
    write_texts(writer, "applied", reload->applied);
    write_texts(writer, "restart", reload->restart);
    writer.member("unchanged", reload->unchanged).end_object();
    return CallReply::done(std::move(text));
}

CallReply RpcMethods::log_level(const ipc::Params& params) {
    if (config_ == nullptr) {
        return CallReply::failed(no_configuration());
    }
    const auto name = [](LogLevel level) {
        return ipc::kLogLevelNames.at(static_cast<std::size_t>(level));
    };
    const LogLevel before = config_->log_level();
    if (const auto choice = params.choice("level")) {
        // The table's choices stand in the order of the numbers.
        config_->set_log_level(static_cast<LogLevel>(*choice));
    }
    std::string text;
    json::Writer(text)
        .begin_object()
        .member("level", name(config_->log_level()))
        .member("before", name(before))
        .end_object();
    return CallReply::done(std::move(text));
}

}  // namespace meshd
