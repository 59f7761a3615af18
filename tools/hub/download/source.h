// Where models and questions are fetched from.
#pragma once

#include <string>

namespace tinyllm::hub {

struct Source {
    std::string endpoint = "https://huggingface.co";
    std::string rows_endpoint;  ///< empty: the endpoint's
    std::string token;          ///< empty: that of the environment
    int retries = 5;
    double retry_delay = 1;  ///< seconds
};

/// What the environment says of where and with which token: HF_ENDPOINT, and the variables of those options
/// of `pull`.
Source source_of_environment();

/// The source's own; or by the rule of Hugging Face's `datasets`, datasets-server. before an https endpoint's
/// host, and the endpoint itself without https.
std::string rows_endpoint_of(const Source& source);

/// The source's own, HF_TOKEN, or what HF_TOKEN_PATH or the hub's folder holds; empty: none.
std::string token_of(const Source& source);

}  // namespace tinyllm::hub
