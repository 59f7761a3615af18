// Where models and questions are fetched from.
#pragma once

#include <string>

namespace tinyllm::hub {

struct Source {
    std::string endpoint = "https://huggingface.co";
    std::string rows_endpoint = "https://datasets-server.huggingface.co";
    std::string token;  ///< empty: that of the environment
    int retries = 5;
    double retry_delay = 1;  ///< seconds
};

/// What the environment says of where and with which token: HF_ENDPOINT, and the variables of those options
/// of `pull`.
Source source_of_environment();

/// The source's own, HF_TOKEN, or what HF_TOKEN_PATH or the hub's folder holds; empty: none.
std::string token_of(const Source& source);

}  // namespace tinyllm::hub
