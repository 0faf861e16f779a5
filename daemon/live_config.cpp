// SPDX-License-Identifier: Apache-2.0
#include "daemon/live_config.h"

#include <algorithm>
#include <utility>

#include "daemon/config_key.h"
#include "daemon/log.h"

namespace meshd {
namespace {

std::string listed(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) {
        text += (text.empty() ? "" : ", ") + name;
    }
    return text;
}

bool has(const std::vector<std::string>& all, const std::string& one) {
    return std::find(all.begin(), all.end(), one) != all.end();
}

void log_reload(const ConfigReload& reload) {
    std::string line = "configuration read again: ";
    line +=
        reload.applied.empty() ? "nothing to change" : "in force now: " + listed(reload.applied);
    if (reload.restart.empty()) {
        log_info(line);
    } else {
        log_warning(line + "; needs a restart: " + listed(reload.restart));
    }
}

/// A key of `from`, with its place, into `to`.
void copy_key(const ConfigKey& key, const Settings& from, Settings& to) {
    static_cast<void>(key.set(to, key.get(from)));
    to.places.erase(std::string(key.name));
    if (const auto place = from.places.find(key.name); place != from.places.end()) {
        to.places.insert(*place);
    }
}

}  // namespace

LiveConfig::LiveConfig(ConfigSources sources, Settings at_start, Callbacks callbacks)
    : sources_(std::move(sources)),
      callbacks_(std::move(callbacks)),
      in_force_(at_start),
      loaded_(std::move(at_start)) {}

std::vector<ConfigKeyView> LiveConfig::keys() const {
    const Settings defaults;
    std::vector<ConfigKeyView> all;
    for (const ConfigKey& key : config_keys()) {
        ConfigKeyView view;
        view.key = key.name;
        const TypedValue value = key.get(in_force_);
        view.value = print_json(key, value);
        view.default_value = print_json(key, key.get(defaults));
        if (const auto place = in_force_.places.find(key.name); place != in_force_.places.end()) {
            view.origin = place->second.origin;
            view.place = to_utf8(place->second.text);
        }
        view.is_live = key.is_live;
        if (!key.is_live && key.get(loaded_) != value) {
            view.pending = print_json(key, key.get(loaded_));
        }
        all.push_back(std::move(view));
    }
    return all;
}

std::vector<std::string> LiveConfig::files() const {
    std::vector<std::string> all;
    for (const std::string& file : loaded_.files) {
        all.push_back(to_utf8(file));
    }
    return all;
}

std::vector<std::string> LiveConfig::warnings() const {
    return trouble_.empty() ? std::vector<std::string>{} : std::vector{trouble_};
}

tl::expected<ConfigReload, std::vector<std::string>> LiveConfig::reload() {
    callbacks_.notify(true);
    trouble_.clear();
    auto result = read_again();
    if (result) {
        log_reload(*result);
    } else {
        for (std::string& error : result.error()) {
            error = to_utf8(error);
            log_error("configuration not taken over: " + error);
        }
    }
    callbacks_.notify(false);
    return result;
}

tl::expected<ConfigReload, std::vector<std::string>> LiveConfig::read_again() {
    auto loaded = load_settings(sources_);
    if (!loaded) {
        const std::size_t more = loaded.error().size() - 1;
        trouble_ = "the configuration on disk is wrong, a restart fails: " +
                   to_utf8(loaded.error().front()) +
                   (more > 0 ? " (and " + std::to_string(more) + " more)" : "");
        return tl::unexpected(std::move(loaded.error()));
    }
    // A file half way through an update, or a disk that is not mounted, would set all it says to
    // the defaults at once. To take out a drop-in is an ordinary change.
    const std::string main = sources_.default_file.string();
    if (has(loaded_.files, main) && !has(loaded->files, main)) {
        trouble_ =
            "the configuration on disk is gone, a restart begins without it: " + to_utf8(main);
        return tl::unexpected(std::vector{main + ": is gone; what it said stays in force"});
    }
    ConfigReload result;
    Settings next = *loaded;
    for (const ConfigKey& key : config_keys()) {
        if (key.get(*loaded) == key.get(in_force_)) {
            ++result.unchanged;
        } else if (key.is_live) {
            result.applied.emplace_back(key.name);
        } else {
            result.restart.emplace_back(key.name);
        }
        if (!key.is_live) {
            copy_key(key, in_force_, next);
        }
    }
    // Addresses without a port have that of the socket, which is as it was.
    derive_settings(next);
    in_force_ = std::move(next);
    loaded_ = std::move(*loaded);
    callbacks_.apply(in_force_, result.applied);
    return result;
}

void LiveConfig::set_log_level(LogLevel level) {
    if (level == in_force_.log_level) {
        return;
    }
    in_force_.log_level = level;
    in_force_.places.insert_or_assign("log.level",
                                      ConfigPlace{++in_force_.values_set, "", ConfigOrigin::Call});
    callbacks_.apply(in_force_, {"log.level"});
}

}  // namespace meshd
