"""llama.cpp through the native library of llama-cpp-python, on the same GGUF file."""
import ctypes
import time

from .common import Unavailable, longest, median_ms, run_tests, status_bytes, tokens

NAME = "llama.cpp"


def measure(request):
    try:
        import llama_cpp as lib
    except ImportError:
        raise Unavailable("llama_cpp is not installed") from None
    quiet = lib.llama_log_callback(lambda level, text, data: None)
    lib.llama_log_set(quiet, ctypes.c_void_p())
    lib.llama_backend_init()
    before = status_bytes("VmRSS")  # Python and the package are not llama.cpp's memory
    start = time.perf_counter()
    model_params = lib.llama_model_default_params()
    model_params.n_gpu_layers = 0
    model = lib.llama_model_load_from_file(request["file"].encode(), model_params)
    if not model:
        raise Unavailable("cannot load the file")
    tests = request["tests"]
    sequences = max([1] + [t["answers"] for t in tests if t["kind"] == "answers"])
    params = lib.llama_context_default_params()
    params.n_ctx = longest(tests) + 1
    params.n_batch = params.n_ubatch = 512
    params.n_seq_max = sequences
    params.kv_unified = True  # of sequences that share their beginning
    params.n_threads = params.n_threads_batch = request["threads"]
    context = lib.llama_init_from_model(model, params)
    if not context:
        raise Unavailable("cannot make a context")
    load_ms = (time.perf_counter() - start) * 1e3
    memory = lib.llama_get_memory(context)
    n_vocab = lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(model))
    ids = (lib.llama_token * (longest(tests) + 1))(*tokens(longest(tests) + 1, n_vocab))

    def decode(batch):
        if lib.llama_decode(context, batch) != 0:
            raise Unavailable("llama_decode failed")

    def prefill(begin, n):
        """Steps of at most n_batch, the logits of the last token."""
        while n > 0:
            part = min(n, 512)
            at = (lib.llama_token * part).from_buffer(ids, begin * ctypes.sizeof(lib.llama_token))
            decode(lib.llama_batch_get_one(at, part))
            begin, n = begin + part, n - part
        lib.llama_get_logits(context)

    def behind(depth):
        """Leaves `depth` tokens in the cache, which are computed once."""
        if depth == 0:
            lib.llama_memory_clear(memory, True)
        elif lib.llama_memory_seq_pos_max(memory, 0) + 1 < depth:
            lib.llama_memory_clear(memory, True)
            prefill(0, depth)
        else:
            lib.llama_memory_seq_rm(memory, 0, depth, -1)

    def prompt(test):
        lib.llama_memory_clear(memory, True)
        return median_ms(request["repetitions"], lambda: prefill(test["depth"], test["n"]), lambda: behind(test["depth"]))

    def generate(test):
        def run():
            for i in range(test["n"]):
                prefill(test["depth"] + i, 1)

        lib.llama_memory_clear(memory, True)
        return median_ms(request["repetitions"], run, lambda: behind(test["depth"])) / test["n"]

    def answers(test):
        """The context once, then what all answers add to it as one batch."""
        n, count, length = test["n"], test["answers"], test["answer"]
        batch = lib.llama_batch_init(count * (length - 1), 0, count)

        def run():
            prefill(0, n)
            batch.n_tokens = 0
            for a in range(count):
                if a:
                    lib.llama_memory_seq_cp(memory, 0, a, 0, -1)
                for i in range(length - 1):
                    at = batch.n_tokens
                    batch.token[at] = ids[n + a * length + i]
                    batch.pos[at], batch.n_seq_id[at], batch.seq_id[at][0], batch.logits[at] = n + i, 1, a, True
                    batch.n_tokens = at + 1
            decode(batch)
            logits = lib.llama_get_logits(context)
            # log softmax at the targets, by a library of vector code as llama.cpp has no such call.
            import numpy as np
            values = np.ctypeslib.as_array(logits, (batch.n_tokens, n_vocab))
            top = values.max(axis=1, keepdims=True)
            np.log(np.exp(values - top).sum(axis=1))

        return median_ms(request["repetitions"], run, lambda: lib.llama_memory_clear(memory, True))

    reply = run_tests(tests, {"prompt": prompt, "generate": generate, "answers": answers})
    return {"load_ms": load_ms, "rss_bytes": status_bytes("VmHWM") - before, **reply}
