#include <tinyllm/tinyllm.h>
#include <iostream>

int main(int argc, char** argv) {
    auto model = tinyllm::Model::load(argc > 1 ? argv[1] : "");  // a Hugging Face folder or a .gguf file
    tinyllm::Session session(model);
    session.prefill(model->tokenizer().encode(argc > 2 ? argv[2] : "The capital of France is"));
    tinyllm::StreamDecoder text(model->tokenizer());
    session.generate({.max_tokens = 16},
                     [&](tinyllm::Token token) { return !!(std::cout << text.append(token)); });
    std::cout << text.finish() << '\n';
}
