// SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc_print_store.h"

#include <utility>

#include "proto/base/base64.h"

namespace meshd {

namespace {

void write_document(json::Writer& writer, const std::vector<SharedView>& members) {
    writer.key("state").begin_object();
    for (const SharedView& member : members) {
        writer.member_raw(member.key, member.value);
    }
    writer.end_object();
}

}  // namespace

void write_entry(json::Writer& writer, const EntryView& entry, bool with_embedding,
                 std::optional<double> score) {
    writer.begin_object()
        .member("hash", entry.hash)
        .member("node", entry.node.text())
        .member("type", entry.type);
    if (score) {
        writer.member("score", *score);
    }
    writer.member("timestamp_ms", entry.timestamp_ms).member("age_ms", entry.age_ms).key("ttl_ms");
    if (entry.ttl_ms == 0) {
        writer.null();
    } else {
        writer.unsigned_integer(entry.ttl_ms);
    }
    if (entry.dimension == 0) {
        writer.key("space").null().key("dimension").null();
    } else {
        writer.member("space", entry.space).member("dimension", entry.dimension);
    }
    writer.member_raw("metadata", entry.metadata);
    if (with_embedding) {
        writer.key("embedding");
        if (entry.embedding.empty()) {
            writer.null();
        } else {
            writer.begin_object().member("f16", print_base64(entry.embedding)).end_object();
        }
    }
    writer.end_object();
}

std::string print_entry_key(const EntryView& entry) {
    return std::string(entry.node.text()) + "/" + entry.hash;
}

EntryPagePrinter::EntryPagePrinter(bool with_embedding)
    : with_embedding_(with_embedding), writer_(text_) {
    writer_.begin_object().key("entries").begin_array();
}

void EntryPagePrinter::add(const EntryView& entry) {
    write_entry(writer_, entry, with_embedding_);
    last_key_ = print_entry_key(entry);
}

std::string EntryPagePrinter::finish(bool is_last) {
    writer_.end_array().key("next");
    if (is_last || last_key_.empty()) {
        writer_.null();
    } else {
        writer_.string(last_key_);
    }
    writer_.end_object();
    return std::move(text_);
}

std::string print_put(const EntriesPut& put) {
    std::string text;
    json::Writer(text)
        .begin_object()
        .member("stored", put.stored)
        .member("durable", put.is_durable)
        .end_object();
    return text;
}

std::size_t shared_bytes(const std::vector<SharedView>& members) {
    std::size_t bytes = 0;
    for (const SharedView& member : members) {
        bytes += member.key.size() + member.value.size();
    }
    return bytes;
}

std::string print_shared(const std::vector<SharedView>& members) {
    std::string text;
    json::Writer writer(text);
    writer.begin_object();
    write_document(writer, members);
    writer.key("members").begin_object();
    for (const SharedView& member : members) {
        writer.key(member.key)
            .begin_object()
            .member("by", member.by.text())
            .member("age_ms", member.age_ms)
            .end_object();
    }
    writer.end_object().end_object();
    return text;
}

std::string print_shared_updated(std::size_t changed, const std::vector<SharedView>& members) {
    std::string text;
    json::Writer writer(text);
    writer.begin_object().member("changed", changed);
    if (shared_bytes(members) > EntryPagePrinter::kBytesMax) {
        writer.key("state").null();
    } else {
        write_document(writer, members);
    }
    writer.end_object();
    return text;
}

std::string print_backup(const BackupDone& done) {
    std::string text;
    json::Writer(text)
        .begin_object()
        .member("path", done.path)
        .member("bytes", done.bytes)
        .member("records", done.records)
        .end_object();
    return text;
}

std::string print_registry_event(const RegistryEvent& event) {
    std::string text;
    json::Writer(text)
        .begin_object()
        .member("hash", event.hash)
        .member("node", event.node.text())
        .member("type", event.type)
        .member("age_ms", event.age_ms)
        .member("by", event.by.text())
        .end_object();
    return text;
}

std::string print_shared_event(const SharedEvent& event) {
    std::string text;
    json::Writer writer(text);
    writer.begin_object().member("key", event.member.key).key("value");
    if (event.member.value.empty()) {
        writer.null();
    } else {
        writer.raw(event.member.value);
    }
    writer.member("by", event.member.by.text()).member("age_ms", event.member.age_ms).end_object();
    return text;
}

}  // namespace meshd
