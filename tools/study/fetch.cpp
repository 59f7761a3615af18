#include "tools/study/fetch.h"

#include <set>

#include "engine/fail.h"
#include "tools/hub/repository.h"
#include "tools/log.h"
#include "tools/signals.h"

#ifdef TINYLLM_HAS_PULL

#include "tools/hub/download/pull_data.h"
#include "tools/hub/download/pull_model.h"
#include "tools/hub/download/source.h"
#endif

namespace tinyllm::study {

#ifdef TINYLLM_HAS_PULL

bool fetch_missing(const Plan& plan) {
    std::set<std::string> models, tasks;
    for (const Cell& cell : plan.cells) {
        if (!cell.chosen) continue;
        const StudyModel& model = plan.model(cell.model);
        if (!model.missing.empty()) models.insert(model.argument);
        if (plan.pulled_data && plan.data.count({cell.protocol, cell.task}) == 0) tasks.insert(cell.task);
    }
    if (models.empty() && tasks.empty()) return true;
    if (hub::is_offline()) fail(ErrorKind::usage, "--pull: HF_HUB_OFFLINE says that nobody is to be asked");
    const CooperativeStop stop;
    const hub::Source source = hub::source_of_environment();
    const auto client = [&](const std::string& endpoint, const char* option, const std::string& token) {
        return hub::Client(hub::ClientOptions{endpoint, option, token, source.retries, source.retry_delay});
    };
    const auto fetch = [](const std::string& name, const auto& pull) {
        note("tinyllm: fetching {}", name);
        try {
            pull();
        } catch (const Error& error) {
            note("tinyllm: {}", error.what());
        }
    };
    try {
        hub::Client hub_client = client(source.endpoint, "--endpoint", hub::token_of(source));
        for (const std::string& name : models)
            fetch(name, [&] { hub::pull_model(hub_client, *hub::parse_repository(name), {}); });
        hub::Client rows_client = client(hub::rows_endpoint_of(source), "--rows-endpoint", "");
        for (const std::string& name : tasks)
            fetch("data:" + name,
                  [&] { hub::pull_data(rows_client, eval::find_task(name), hub::DataPart::questions); });
    } catch (const hub::Interrupted&) {
        return false;
    }
    return true;
}

#else

bool fetch_missing(const Plan&) {
    fail(ErrorKind::usage, "--pull: this build was made without libcurl and cannot download");
}

#endif

}  // namespace tinyllm::study
