"""The twenty checkpoints of the study (docs/models.md): config.json as their publishers have it, file form, type, and the tensors
that follow. Shapes only; make_checkpoints.py fills them with random weights."""
import dataclasses

BLOOM = {"model_type": "bloom", "architectures": ["BloomForCausalLM"], "apply_residual_connection_post_layernorm": False,
         "attention_dropout": 0.0, "attention_softmax_in_fp32": True, "bias_dropout_fusion": True, "bos_token_id": 1, "eos_token_id": 2,
         "hidden_dropout": 0.0, "initializer_range": 0.02, "layer_norm_epsilon": 1e-05, "masked_softmax_fusion": True, "n_inner": None,
         "n_layer": 24, "offset_alibi": 100, "pad_token_id": 3, "pretraining_tp": 1, "skip_bias_add": True, "skip_bias_add_qkv": False,
         "unk_token_id": 0, "use_cache": True, "vocab_size": 250880}
GPT2 = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "bos_token_id": 50256, "eos_token_id": 50256,
        "initializer_range": 0.02, "layer_norm_epsilon": 1e-05, "reorder_and_upcast_attn": False,
        "scale_attn_by_inverse_layer_idx": False, "scale_attn_weights": True, "summary_activation": None, "summary_first_dropout": 0.1,
        "summary_proj_to_labels": True, "summary_type": "cls_index", "summary_use_proj": True, "torch_dtype": "float32"}
CEREBRAS = {**GPT2, "activation_function": "gelu", "attn_pdrop": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0, "n_positions": 2048,
            "use_cache": True, "vocab_size": 50257}
LAMINI = {**GPT2, "activation_function": "gelu_new", "attn_pdrop": 0.1, "embd_pdrop": 0.1, "resid_pdrop": 0.1, "n_ctx": 1024,
          "n_positions": 1024, "n_inner": None, "use_cache": False, "vocab_size": 50258,
          "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}}}
LLAMA = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_act": "silu", "initializer_range": 0.02,
         "bos_token_id": 1, "eos_token_id": 2, "use_cache": True}
SMOLLM = {**LLAMA, "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 0, "eos_token_id": 0, "mlp_bias": False,
          "max_position_embeddings": 2048, "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_scaling": None, "rope_theta": 10000.0,
          "tie_word_embeddings": True, "torch_dtype": "bfloat16", "vocab_size": 49152}
OPT = {"model_type": "opt", "architectures": ["OPTForCausalLM"], "activation_dropout": 0.0, "activation_function": "relu",
       "attention_dropout": 0.0, "bos_token_id": 2, "dropout": 0.1, "eos_token_id": 2, "init_std": 0.02, "layerdrop": 0.0,
       "max_position_embeddings": 2048, "pad_token_id": 1, "prefix": "</s>", "torch_dtype": "float16", "use_cache": True,
       "vocab_size": 50272}
PYTHIA = {"model_type": "gpt_neox", "architectures": ["GPTNeoXForCausalLM"], "bos_token_id": 0, "eos_token_id": 0, "hidden_act": "gelu",
          "initializer_range": 0.02, "layer_norm_eps": 1e-05, "max_position_embeddings": 2048, "rotary_emb_base": 10000,
          "rotary_pct": 0.25, "tie_word_embeddings": False, "torch_dtype": "float16", "use_cache": True, "use_parallel_residual": True,
          "vocab_size": 50304}
QWEN = {"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 151643,
        "eos_token_id": 151643, "hidden_act": "silu", "initializer_range": 0.02, "max_position_embeddings": 32768,
        "num_hidden_layers": 24, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "sliding_window": 32768, "tie_word_embeddings": True,
        "torch_dtype": "bfloat16", "use_cache": True, "use_sliding_window": False, "vocab_size": 151936}
T5 = {"model_type": "t5", "architectures": ["T5ForConditionalGeneration"], "d_ff": 2048, "d_kv": 64, "d_model": 768,
      "decoder_start_token_id": 0, "dropout_rate": 0.1, "eos_token_id": 1, "feed_forward_proj": "gated-gelu", "initializer_factor": 1.0,
      "is_encoder_decoder": True, "layer_norm_epsilon": 1e-06, "n_positions": 512, "num_decoder_layers": 12, "num_heads": 12,
      "num_layers": 12, "output_past": True, "pad_token_id": 0, "relative_attention_max_distance": 128,
      "relative_attention_num_buckets": 32, "tie_word_embeddings": False, "use_cache": True, "vocab_size": 32128}


@dataclasses.dataclass
class Checkpoint:
    config: dict
    form: str   # safetensors or bin
    dtype: str  # of the stored weights
    tokenizer: str


CHECKPOINTS = {
    "bigscience/bloom-560m": Checkpoint({**BLOOM, "n_embed": 1024, "num_attention_heads": 16}, "safetensors", "float16", "bloom"),
    "bigscience/bloomz-560m": Checkpoint({**BLOOM, "hidden_size": 1024, "n_head": 16, "seq_length": 2048, "slow_but_exact": False},
                                         "safetensors", "float16", "bloom"),
    "cerebras/Cerebras-GPT-590M": Checkpoint({**CEREBRAS, "n_embd": 1536, "n_head": 12, "n_inner": 6144, "n_layer": 18}, "bin",
                                             "float32", "gpt2"),
    "cerebras/Cerebras-GPT-256M": Checkpoint({**CEREBRAS, "n_embd": 1088, "n_head": 17, "n_inner": 4352, "n_layer": 14}, "bin",
                                             "float32", "gpt2"),
    "cerebras/Cerebras-GPT-111M": Checkpoint({**CEREBRAS, "n_embd": 768, "n_head": 12, "n_inner": 3072, "n_layer": 10}, "bin",
                                             "float32", "gpt2"),
    "h2oai/h2o-danube3-500m-base": Checkpoint(
        {**LLAMA, "attention_bias": False, "hidden_size": 1536, "intermediate_size": 4096, "max_position_embeddings": 8192,
         "mlp_bias": False, "num_attention_heads": 16, "num_hidden_layers": 16, "num_key_value_heads": 8, "pad_token_id": 0,
         "rms_norm_eps": 1e-05, "rope_theta": 100000, "sliding_window": None, "tie_word_embeddings": False, "torch_dtype": "bfloat16",
         "vocab_size": 32000}, "safetensors", "bfloat16", "llama"),
    "google/flan-t5-base": Checkpoint(T5, "safetensors", "float32", "t5"),
    "MBZUAI/LaMini-GPT-774M": Checkpoint({**LAMINI, "n_embd": 1280, "n_head": 20, "n_layer": 36}, "bin", "float32", "gpt2"),
    "MBZUAI/LaMini-GPT-124M": Checkpoint({**LAMINI, "n_embd": 768, "n_head": 12, "n_layer": 12}, "bin", "float32", "gpt2"),
    "ahxt/LiteLlama-460M-1T": Checkpoint(
        {**LLAMA, "hidden_size": 1024, "intermediate_size": 4096, "layernorm_epsilon": 1e-05, "max_position_embeddings": 1024,
         "num_attention_heads": 16, "num_hidden_layers": 24, "num_key_value_heads": 2, "pad_token_id": 0, "pretraining_tp": 1,
         "rms_norm_eps": 1e-06, "rope_scaling": None, "tie_word_embeddings": False, "torch_dtype": "bfloat16", "vocab_size": 50304},
        "bin", "bfloat16", "gpt2"),
    "facebook/opt-350m": Checkpoint({**OPT, "do_layer_norm_before": False, "ffn_dim": 4096, "hidden_size": 1024,
                                     "num_attention_heads": 16, "num_hidden_layers": 24, "word_embed_proj_dim": 512}, "bin", "float16",
                                    "opt"),
    "facebook/opt-125m": Checkpoint({**OPT, "do_layer_norm_before": True, "ffn_dim": 3072, "hidden_size": 768,
                                     "num_attention_heads": 12, "num_hidden_layers": 12, "word_embed_proj_dim": 768}, "bin", "float16",
                                    "opt"),
    "EleutherAI/pythia-410m": Checkpoint({**PYTHIA, "hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16,
                                          "num_hidden_layers": 24}, "safetensors", "float16", "neox"),
    "EleutherAI/pythia-160m": Checkpoint({**PYTHIA, "hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12,
                                          "num_hidden_layers": 12}, "safetensors", "float16", "neox"),
    "mllmTeam/PhoneLM-0.5B": Checkpoint(
        {"model_type": "phonelm", "architectures": ["PhoneLMForCausalLM"], "attention_bias": False, "attention_dropout": 0.0,
         "auto_map": {"AutoConfig": "configuration_phonelm.PhoneLMConfig",
                      "AutoModelForCausalLM": "modeling_phonelm.PhoneLMForCausalLM"},
         "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "relu", "hidden_size": 1024, "initializer_range": 0.02,
         "intermediate_size": 4864, "max_position_embeddings": 2048, "num_attention_heads": 16, "num_hidden_layers": 24,
         "num_key_value_heads": 16, "pretraining_tp": 1, "rms_norm_eps": 1e-06, "rope_scaling": None, "rope_theta": 10000.0,
         "tie_word_embeddings": True, "torch_dtype": "bfloat16", "use_cache": True, "vocab_size": 49152},
        "safetensors", "bfloat16", "smollm"),
    "Qwen/Qwen1.5-0.5B": Checkpoint({**QWEN, "hidden_size": 1024, "intermediate_size": 2816, "max_window_layers": 21,
                                     "num_attention_heads": 16, "num_key_value_heads": 16}, "safetensors", "bfloat16", "qwen2"),
    "Qwen/Qwen2.5-0.5B": Checkpoint({**QWEN, "hidden_size": 896, "intermediate_size": 4864, "max_window_layers": 24, "use_mrope": False,
                                     "num_attention_heads": 14, "num_key_value_heads": 2}, "safetensors", "bfloat16", "qwen2"),
    "HuggingFaceTB/SmolLM-360M": Checkpoint({**SMOLLM, "hidden_size": 960, "intermediate_size": 2560, "num_attention_heads": 15,
                                             "num_hidden_layers": 32, "num_key_value_heads": 5}, "safetensors", "bfloat16", "smollm"),
    "HuggingFaceTB/SmolLM-135M": Checkpoint({**SMOLLM, "hidden_size": 576, "intermediate_size": 1536, "num_attention_heads": 9,
                                             "num_hidden_layers": 30, "num_key_value_heads": 3}, "safetensors", "bfloat16", "smollm"),
    "TinyLlama/TinyLlama_v1.1": Checkpoint(
        {**LLAMA, "hidden_size": 2048, "intermediate_size": 5632, "max_position_embeddings": 2048, "num_attention_heads": 32,
         "num_hidden_layers": 22, "num_key_value_heads": 4, "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_scaling": None,
         "tie_word_embeddings": False, "torch_dtype": "float32", "vocab_size": 32000}, "bin", "float32", "llama"),
}


def linear(name, rows, cols, bias=True):
    return [(name + ".weight", (rows, cols))] + ([(name + ".bias", (rows,))] if bias else [])


def norm(name, dim, bias=True):
    return [(name + ".weight", (dim,))] + ([(name + ".bias", (dim,))] if bias else [])


def gpt2_tensors(c):
    d, ff = c["n_embd"], c["n_inner"] or 4 * c["n_embd"]
    out = [("transformer.wte.weight", (c["vocab_size"], d)), ("transformer.wpe.weight", (c["n_positions"], d))]
    for i in range(c["n_layer"]):
        p = f"transformer.h.{i}."
        out += norm(p + "ln_1", d) + norm(p + "ln_2", d)
        for name, inputs, outputs in (("attn.c_attn", d, 3 * d), ("attn.c_proj", d, d), ("mlp.c_fc", d, ff), ("mlp.c_proj", ff, d)):
            out += [(p + name + ".weight", (inputs, outputs)), (p + name + ".bias", (outputs,))]
    return out + norm("transformer.ln_f", d)


def bloom_tensors(c):
    d = c.get("n_embed") or c["hidden_size"]
    out = [("word_embeddings.weight", (c["vocab_size"], d))] + norm("word_embeddings_layernorm", d)
    for i in range(c["n_layer"]):
        p = f"h.{i}."
        out += norm(p + "input_layernorm", d) + norm(p + "post_attention_layernorm", d)
        out += linear(p + "self_attention.query_key_value", 3 * d, d) + linear(p + "self_attention.dense", d, d)
        out += linear(p + "mlp.dense_h_to_4h", 4 * d, d) + linear(p + "mlp.dense_4h_to_h", d, 4 * d)
    return out + norm("ln_f", d)


def llama_tensors(c):
    d, ff, heads = c["hidden_size"], c["intermediate_size"], c["num_attention_heads"]
    kv = d // heads * c["num_key_value_heads"]
    bias = c["model_type"] == "qwen2"
    out = [("model.embed_tokens.weight", (c["vocab_size"], d))]
    for i in range(c["num_hidden_layers"]):
        p = f"model.layers.{i}."
        out += norm(p + "input_layernorm", d, False) + norm(p + "post_attention_layernorm", d, False)
        out += linear(p + "self_attn.q_proj", d, d, bias) + linear(p + "self_attn.k_proj", kv, d, bias)
        out += linear(p + "self_attn.v_proj", kv, d, bias) + linear(p + "self_attn.o_proj", d, d, False)
        out += linear(p + "mlp.gate_proj", ff, d, False) + linear(p + "mlp.up_proj", ff, d, False) + linear(p + "mlp.down_proj", d, ff, False)
    out += norm("model.norm", d, False)
    return out if c["tie_word_embeddings"] else out + [("lm_head.weight", (c["vocab_size"], d))]


def opt_tensors(c):
    d, ff, e, p = c["hidden_size"], c["ffn_dim"], c["word_embed_proj_dim"], "model.decoder."
    out = [(p + "embed_tokens.weight", (c["vocab_size"], e)), (p + "embed_positions.weight", (c["max_position_embeddings"] + 2, d))]
    if e != d:
        out += [(p + "project_in.weight", (d, e)), (p + "project_out.weight", (e, d))]
    if c["do_layer_norm_before"]:
        out += norm(p + "final_layer_norm", d)
    for i in range(c["num_hidden_layers"]):
        q = f"{p}layers.{i}."
        for name in ("k_proj", "v_proj", "q_proj", "out_proj"):
            out += linear(q + "self_attn." + name, d, d)
        out += norm(q + "self_attn_layer_norm", d) + linear(q + "fc1", ff, d) + linear(q + "fc2", d, ff) + norm(q + "final_layer_norm", d)
    return out


def neox_tensors(c):
    d, ff = c["hidden_size"], c["intermediate_size"]
    out = [("gpt_neox.embed_in.weight", (c["vocab_size"], d))]
    for i in range(c["num_hidden_layers"]):
        p = f"gpt_neox.layers.{i}."
        out += norm(p + "input_layernorm", d) + norm(p + "post_attention_layernorm", d)
        out += linear(p + "attention.query_key_value", 3 * d, d) + linear(p + "attention.dense", d, d)
        out += linear(p + "mlp.dense_h_to_4h", ff, d) + linear(p + "mlp.dense_4h_to_h", d, ff)
    return out + norm("gpt_neox.final_layer_norm", d) + [("embed_out.weight", (c["vocab_size"], d))]


def t5_tensors(c):
    d, ff, inner = c["d_model"], c["d_ff"], c["num_heads"] * c["d_kv"]
    out = [("shared.weight", (c["vocab_size"], d))]

    def attention(p, buckets):
        rows = [(f"{p}.{n}.weight", (inner, d)) for n in "qkv"] + [(f"{p}.o.weight", (d, inner))]
        return rows + ([(p + ".relative_attention_bias.weight", (c["relative_attention_num_buckets"], c["num_heads"]))] if buckets else [])

    for side, layers in (("encoder", c["num_layers"]), ("decoder", c["num_decoder_layers"])):
        for i in range(layers):
            p = f"{side}.block.{i}.layer."
            out += attention(p + "0.SelfAttention", i == 0) + norm(p + "0.layer_norm", d, False)
            last = 1
            if side == "decoder":
                out += attention(p + "1.EncDecAttention", False) + norm(p + "1.layer_norm", d, False)
                last = 2
            dense = f"{p}{last}.DenseReluDense."
            out += [(dense + "wi_0.weight", (ff, d)), (dense + "wi_1.weight", (ff, d)), (dense + "wo.weight", (d, ff))]
            out += norm(f"{p}{last}.layer_norm", d, False)
        out += norm(f"{side}.final_layer_norm", d, False)
    return out + [("lm_head.weight", (c["vocab_size"], d))]


TENSORS = {"gpt2": gpt2_tensors, "bloom": bloom_tensors, "llama": llama_tensors, "qwen2": llama_tensors, "phonelm": llama_tensors,
           "opt": opt_tensors, "gpt_neox": neox_tensors, "t5": t5_tensors}


def tensors(checkpoint):
    """(name, shape) of every stored weight, in file order; buffers and tied copies aside."""
    return TENSORS[checkpoint.config["model_type"]](checkpoint.config)


def parameters(checkpoint):
    total = 0
    for _, shape in tensors(checkpoint):
        count = 1
        for size in shape:
            count *= size
        total += count
    return total
