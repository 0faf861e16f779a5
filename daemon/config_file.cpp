// SPDX-License-Identifier: Apache-2.0
#include "daemon/config_file.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>
#include <initializer_list>
#include <map>
#include <sstream>

#include "daemon/config_key.h"
#include "proto/base/json.h"

namespace meshd {
namespace {

using Errors = std::vector<std::string>;
namespace fs = std::filesystem;

/// A configuration is a few KiB; more is the wrong file.
constexpr std::uintmax_t kFileBytesMax = 1 << 20;

std::string place(std::string_view file, const YAML::Mark& mark) {
    if (mark.is_null()) {
        return std::string(file);
    }
    return std::string(file) + ":" + std::to_string(mark.line + 1) + ":" +
           std::to_string(mark.column + 1);
}

/// Counts documents without building them: of some texts that are no YAML ("," at the beginning)
/// the library makes empty documents without end.
class DocumentCounter final : public YAML::EventHandler {
  public:
    std::vector<YAML::Mark> begun;

    void OnDocumentStart(const YAML::Mark& mark) override { begun.push_back(mark); }
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
    void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
    void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  const std::string&) override {}
    void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                         YAML::EmitterStyle::value) override {}
    void OnSequenceEnd() override {}
    void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                    YAML::EmitterStyle::value) override {}
    void OnMapEnd() override {}
};

/// Where a second document begins, if there is one.
std::optional<YAML::Mark> second_document(const std::string& text) {
    std::istringstream input(text);
    YAML::Parser parser(input);
    DocumentCounter counter;
    while (counter.begun.size() < 2 && parser.HandleNextDocument(counter)) {
    }
    return counter.begun.size() < 2 ? std::nullopt : std::optional(counter.begun[1]);
}

/// Types of a plain scalar by YAML's core schema (YAML 1.2, 10.3.2); quoted text stays text.
bool write_scalar(const YAML::Node& node, json::Writer& writer) {
    const std::string& text = node.Scalar();
    if (node.Tag() == "!") {
        writer.string(text);
        return true;
    }
    if (text == "true" || text == "false") {
        writer.boolean(text == "true");
        return true;
    }
    const std::size_t sign = !text.empty() && (text[0] == '+' || text[0] == '-') ? 1 : 0;
    const bool is_number_like =
        text.size() > sign &&
        (std::isdigit(static_cast<unsigned char>(text[sign])) != 0 || text[sign] == '.');
    const char* begin = text.data() + (text.starts_with('+') ? 1 : 0);
    const char* end = text.data() + text.size();
    if (is_number_like) {
        std::int64_t integer = 0;
        if (const auto result = std::from_chars(begin, end, integer);
            result.ec == std::errc() && result.ptr == end) {
            writer.integer(integer);
            return true;
        }
        double number = 0;
        if (const auto result = std::from_chars(begin, end, number);
            result.ec == std::errc() && result.ptr == end && std::isfinite(number)) {
            writer.number(number);
            return true;
        }
    }
    if (!json::is_utf8(text)) {
        return false;
    }
    writer.string(text);
    return true;
}

/// False where it cannot be JSON, with the reason in `why`. Depth and size are bounded on the way
/// because aliases can refer to themselves, or double the text at each level.
bool write_json(const YAML::Node& node, unsigned depth, std::string& out, json::Writer& writer,
                std::string& why) {
    if (depth > limits::kPayloadDepthMax || out.size() > limits::kPayloadBytesMax) {
        why = "is deeper than " + std::to_string(limits::kPayloadDepthMax) +
              " levels or longer than 64 KiB";
        return false;
    }
    if (node.IsMap()) {
        writer.begin_object();
        std::vector<std::string> seen;
        for (const auto& member : node) {
            if (!member.first.IsScalar() || !json::is_utf8(member.first.Scalar())) {
                why = "has a key that is no text";
                return false;
            }
            if (std::find(seen.begin(), seen.end(), member.first.Scalar()) != seen.end()) {
                why = "has the key \"" + member.first.Scalar() + "\" twice";
                return false;
            }
            seen.push_back(member.first.Scalar());
            writer.key(member.first.Scalar());
            if (!write_json(member.second, depth + 1, out, writer, why)) {
                return false;
            }
        }
        writer.end_object();
        return true;
    }
    if (node.IsSequence()) {
        writer.begin_array();
        for (const auto& element : node) {
            if (!write_json(element, depth + 1, out, writer, why)) {
                return false;
            }
        }
        writer.end_array();
        return true;
    }
    if (node.IsScalar()) {
        why = "is not UTF-8";
        return write_scalar(node, writer);
    }
    writer.null();
    return true;
}

ConfigValue config_value(const YAML::Node& node) {
    using Shape = ConfigValue::Shape;
    ConfigValue value;
    if (node.IsScalar()) {
        value.shape = Shape::Scalar;
        value.text = node.Scalar();
    } else if (node.IsSequence()) {
        value.shape = Shape::List;
        for (const auto& item : node) {
            if (!item.IsScalar()) {
                value.shape = Shape::Other;
                return value;
            }
            value.items.push_back(item.Scalar());
        }
    } else if (node.IsMap()) {
        value.shape = Shape::Mapping;
    }
    return value;
}

/// Where a value stands, and so who has set it.
struct Source {
    std::string where;
    ConfigOrigin origin = ConfigOrigin::File;
};

void apply_value(const ConfigKey& key, const ConfigValue& value, const Source& source,
                 Settings& settings, Errors& errors) {
    if (const auto error = apply_config_value(key, value, settings)) {
        errors.push_back(source.where + ": " + *error);
        return;
    }
    const std::size_t order = ++settings.values_set;
    settings.places.insert_or_assign(std::string(key.name),
                                     ConfigPlace{order, source.where, source.origin});
}

void apply_node(const ConfigKey& key, const YAML::Node& node, const Source& source,
                Settings& settings, Errors& errors) {
    ConfigValue value = config_value(node);
    if (key.type == ConfigType::Document && node.IsMap()) {
        json::Writer writer(value.json);
        std::string why;
        if (!write_json(node, 1, value.json, writer, why)) {
            errors.push_back(source.where + ": " + std::string(key.name) + " " + why);
            return;
        }
    }
    apply_value(key, value, source, settings, errors);
}

std::string unknown_key(const std::string& name) {
    const std::string_view nearest = nearest_config_key(name);
    return "unknown key \"" + name + "\"" +
           (nearest.empty() ? "; etc/meshd.yaml lists all keys"
                            : "; did you mean \"" + std::string(nearest) + "\"?");
}

std::string repeated_key(const std::string& where, const std::string& name, int first_line) {
    return where + ": key \"" + name + "\" is there already, in line " +
           std::to_string(first_line) + "; expected each key once";
}

bool is_section(const std::string& name) {
    const auto sections = config_sections();
    return std::find(sections.begin(), sections.end(), name) != sections.end();
}

/// Lines of the keys of one file, whether they stand in a section or with a dot.
using SeenKeys = std::map<std::string, int>;

/// One mapping: the whole file (`prefix` empty) or a section.
void apply_mapping(std::string_view file, const YAML::Node& mapping, const std::string& prefix,
                   SeenKeys& seen, Settings& settings, Errors& errors) {
    for (const auto& member : mapping) {
        const std::string where = place(file, member.first.Mark());
        if (!member.first.IsScalar()) {
            errors.push_back(where + ": expected a key, got a list or a mapping");
            continue;
        }
        const std::string name = prefix + member.first.Scalar();
        const auto [earlier, is_new] = seen.emplace(name, member.first.Mark().line + 1);
        if (!is_new) {
            errors.push_back(repeated_key(where, name, earlier->second));
            continue;
        }
        if (const ConfigKey* key = find_config_key(name)) {
            // A value that is not there is marked where the next thing begins.
            const YAML::Mark mark = member.second.Mark();
            const bool has_place = !mark.is_null() && !member.second.IsNull();
            apply_node(*key, member.second,
                       {has_place ? place(file, mark) : where, ConfigOrigin::File}, settings,
                       errors);
        } else if (prefix.empty() && is_section(name)) {
            if (member.second.IsMap()) {
                apply_mapping(file, member.second, name + ".", seen, settings, errors);
            } else if (!member.second.IsNull()) {
                errors.push_back(place(file, member.second.Mark()) + ": " + name +
                                 ": expected a mapping of keys");
            }
        } else {
            errors.push_back(where + ": " + unknown_key(name));
        }
    }
}

void apply_file(const fs::path& path, Settings& settings, Errors& errors) {
    std::error_code error;
    const std::uintmax_t size = fs::file_size(path, error);
    std::ifstream stream(path, std::ios::binary);
    if (error || !stream) {
        const std::string why = error ? error.message() : std::strerror(errno);
        errors.push_back(path.string() + ": cannot read the configuration: " + why);
        return;
    }
    if (size > kFileBytesMax) {
        errors.push_back(path.string() + ": expected a configuration of at most 1 MiB, got " +
                         std::to_string(size) + " bytes");
        return;
    }
    settings.files.push_back(path.string());
    std::ostringstream text;
    text << stream.rdbuf();
    if (text.bad()) {
        errors.push_back(path.string() +
                         ": cannot read the configuration: " + std::strerror(errno));
        return;
    }
    apply_config_text(path.string(), text.str(), settings, errors);
}

void apply_override(const ConfigOverride& override, Settings& settings, Errors& errors) {
    const ConfigKey* key = find_config_key(override.key);
    if (key == nullptr) {
        errors.push_back(override.origin + ": " + unknown_key(override.key));
        return;
    }
    if (override.yaml) {
        try {
            apply_node(*key, YAML::Load(*override.yaml), {override.origin, ConfigOrigin::Set},
                       settings, errors);
        } catch (const YAML::Exception& exception) {
            errors.push_back(override.origin + ": " + exception.msg);
        }
        return;
    }
    ConfigValue value;
    value.shape =
        key->type == ConfigType::List ? ConfigValue::Shape::List : ConfigValue::Shape::Scalar;
    value.items = override.texts;
    value.text = override.texts.empty() ? "" : override.texts.back();
    apply_value(*key, value, {override.origin, ConfigOrigin::Flag}, settings, errors);
}

/// Hidden files are what editors leave.
std::vector<fs::path> drop_ins(const fs::path& file, Errors& errors) {
    std::vector<fs::path> found;
    const fs::path folder = file.string() + ".d";
    std::error_code error;
    for (auto entry = fs::directory_iterator(folder, error); !error && entry != fs::end(entry);
         entry.increment(error)) {
        const fs::path& path = entry->path();
        if (path.extension() == ".yaml" && !path.filename().string().starts_with('.')) {
            found.push_back(path);
        }
    }
    if (error && error != std::errc::no_such_file_or_directory &&
        error != std::errc::not_a_directory) {
        errors.push_back(folder.string() + ": cannot read the drop-ins: " + error.message());
    }
    std::sort(found.begin(), found.end());
    return found;
}

/// "place: " of the key that was set last, as it is the one that made the contradiction.
std::string latest_place(const Settings& settings, std::initializer_list<std::string_view> keys) {
    const ConfigPlace* latest = nullptr;
    for (const std::string_view key : keys) {
        const auto found = settings.places.find(key);
        if (found != settings.places.end() &&
            (latest == nullptr || latest->order < found->second.order)) {
            latest = &found->second;
        }
    }
    return latest == nullptr ? std::string() : latest->text + ": ";
}

/// Contradictions between keys.
void check(const Settings& settings, Errors& errors) {
    const Config& core = settings.core;
    if (core.broadcast_interval > core.broadcast_interval_max) {
        errors.push_back(
            latest_place(settings, {"mesh.broadcast_interval", "mesh.broadcast_interval_max"}) +
            "mesh.broadcast_interval_max: expected at least mesh.broadcast_interval (" +
            print_duration(core.broadcast_interval) + "), got " +
            print_duration(core.broadcast_interval_max));
    }
}

}  // namespace

void derive_settings(Settings& settings) {
    Config& core = settings.core;
    core.link_patience = std::min(settings.link_patience, settings.heartbeat_timeout);
    core.link_patience_max = std::clamp(Config{}.link_patience_max, core.link_patience,
                                        std::max(core.link_patience, settings.heartbeat_timeout));
    core.bootstrap.clear();
    settings.bootstrap_hosts.clear();
    for (const std::string& text : settings.bootstrap) {
        const auto address = parse_bootstrap(text, settings.udp_port);
        if (const auto* endpoint = address ? std::get_if<Endpoint>(&*address) : nullptr) {
            core.bootstrap.push_back(*endpoint);
        } else if (address) {
            settings.bootstrap_hosts.push_back(std::get<BootstrapHost>(*address));
        }
    }
}

void apply_config_text(std::string_view name, const std::string& text, Settings& settings,
                       std::vector<std::string>& errors) {
    try {
        if (const auto second = second_document(text)) {
            errors.push_back(place(name, *second) + ": expected one YAML document, got several");
            return;
        }
        const YAML::Node document = YAML::Load(text);
        if (document.IsMap()) {
            SeenKeys seen;
            apply_mapping(name, document, "", seen, settings, errors);
        } else if (!document.IsNull()) {
            errors.push_back(place(name, document.Mark()) +
                             ": expected a mapping of keys such as \"mesh:\"");
        }
    } catch (const YAML::Exception& exception) {
        errors.push_back(place(name, exception.mark) + ": not YAML: " + exception.msg);
    }
}

tl::expected<Settings, std::vector<std::string>> load_settings(const ConfigSources& sources) {
    Settings settings;
    Errors errors;
    const fs::path file = sources.file.value_or(sources.default_file);
    // Whatever else than absence keeps it from being read is an error, and told by the reading.
    std::error_code ignored;
    if (sources.file || fs::status(file, ignored).type() != fs::file_type::not_found) {
        apply_file(file, settings, errors);
    }
    for (const fs::path& drop_in : drop_ins(file, errors)) {
        apply_file(drop_in, settings, errors);
    }
    for (const ConfigOverride& override : sources.overrides) {
        apply_override(override, settings, errors);
    }
    if (errors.empty()) {
        check(settings, errors);
        derive_settings(settings);
    }
    if (!errors.empty()) {
        return tl::unexpected(std::move(errors));
    }
    return settings;
}

}  // namespace meshd
