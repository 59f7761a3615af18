// config.json: any text is a configuration with sane sizes or an Error.
#include "engine/architecture.h"
#include "engine/config.h"
#include "engine/hf_config.h"
#include "engine/json_file.h"
#include "fuzz/input_file.h"
#include "tinyllm/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace tinyllm;
    try {
        const nlohmann::json json = read_json_file(input_file(data, size));
        if (!json.is_object()) return 0;
        const HfConfig config(json, "config.json");
        const Architecture* architecture = find_architecture_by_model_type(config.string("model_type"));
        if (architecture == nullptr) return 0;
        Config result = architecture->from_hf(config);
        config.check_all_read();
        check_config(result);
    } catch (const Error&) {
    }
    return 0;
}
