// Where the small random models lie and what transformers computed with them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/devices.h"
#include "kernels/cuda_emulated.h"
#include "tinyllm/gpu.h"

namespace tinyllm::test {

constexpr double kTolerance = 1e-4;

/// The scripts that make random models point this at them.
inline std::string golden_models() {
    const char* given = std::getenv("TINYLLM_GOLDEN_MODELS");
    return given ? given : TINYLLM_SOURCE_DIR "/tests/golden/models";
}

inline nlohmann::json golden_expected(const std::string& name) {
    std::ifstream file(golden_models() + "/" + name + "/expected.json");
    return nlohmann::json::parse(file);
}

/// The names of the encoder-decoders, or of all others. Every test's process asks, so only small files are
/// read.
inline std::vector<std::string> golden_cases(bool encoder_decoders) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(golden_models())) {
        const std::string name = entry.path().filename();
        std::ifstream config(entry.path() / "config.json");
        const bool has_encoder = nlohmann::json::parse(config).value("is_encoder_decoder", false);
        if (has_encoder == encoder_decoders) names.push_back(name);
    }
    std::ranges::sort(names);
    return names;
}

/// What the models run on: a GPU too where there is one, and its kernels run by loops in any case.
inline std::vector<std::string> golden_devices() {
    more_devices()[kCudaEmulated] = [](const BackendOptions& options) {
        return make_cuda_emulated_backend(options.precision);
    };
    std::vector<std::string> devices = {"ref", "cpu", kCudaEmulated};
    if (has_cuda_kernels() && !probe_gpus().gpus.empty()) devices.emplace_back("cuda");
    return devices;
}

inline std::string as_test_name(std::string name) {
    std::ranges::replace_if(
        name, [](char c) { return c == '-' || c == '.'; }, '_');
    return name;
}

/// A test's name: model and device.
inline std::string golden_name(const testing::TestParamInfo<std::tuple<std::string, std::string>>& param) {
    return as_test_name(std::get<0>(param.param) + "_" + std::get<1>(param.param));
}

}  // namespace tinyllm::test
