"""What the Python checks of this folder share: the command, the packages they compare with, skipping where one is absent.

TINYLLM names the command; TINYLLM_ORACLE_PYTHON a Python that has the packages, if this one has not.
"""
import importlib.util
import os
import subprocess
import sys
import tempfile
import pathlib

SKIPPED = 77
FALLBACK_PYTHON = "/opt/oracle/venv/bin/python"


def require(*packages: str) -> None:
    """Goes on in a Python that has `packages`, or exits as skipped, saying why."""
    missing = [p for p in packages if importlib.util.find_spec(p) is None]
    other = os.environ.get("TINYLLM_ORACLE_PYTHON", FALLBACK_PYTHON)
    if missing and not os.environ.get("TINYLLM_ORACLE_ENTERED") and os.path.exists(other):
        os.environ["TINYLLM_ORACLE_ENTERED"] = "1"
        os.execv(other, [other, *sys.argv])
    if missing:
        print("skipped: no Python package", ", ".join(missing))
        sys.exit(SKIPPED)
    if not os.environ.get("TINYLLM"):
        print("skipped: TINYLLM does not name the command")
        sys.exit(SKIPPED)


def tinyllm(*arguments: object) -> str:
    """Runs the command and returns its standard output."""
    done = subprocess.run([os.environ["TINYLLM"], *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"tinyllm {' '.join(map(str, arguments))}: exit status {done.returncode}: {done.stderr}")
    return done.stdout


def temporary_folder() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="tinyllm-")


def check(condition: bool, what: str) -> None:
    if not condition:
        sys.exit(f"FAILED: {what}")
    print("ok:", what)


def byte_level_tokenizer():
    """BPE over bytes with a few merges; <|endoftext|> is its special token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=320, special_tokens=["<|endoftext|>"],
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(["the cat sat on the mat and then the dog ran"] * 20, trainer)
    return tokenizer


def save_transformers_models(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """Small random models with a byte-level BPE tokenizer, as transformers saves them."""
    import torch
    from transformers import (BloomConfig, BloomForCausalLM, GPT2Config, GPT2LMHeadModel, GPTNeoXConfig, GPTNeoXForCausalLM,
                              LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM, StableLmConfig,
                              StableLmForCausalLM)

    tokenizer = byte_level_tokenizer()
    n = (tokenizer.get_vocab_size() + 31) // 32 * 32  # rows beyond the vocabulary, as padded checkpoints have
    end = tokenizer.token_to_id("<|endoftext|>")
    ids = {"bos_token_id": end, "eos_token_id": end}

    torch.manual_seed(0)
    made = {
        "llama_gqa": LlamaForCausalLM(LlamaConfig(
            vocab_size=n, hidden_size=64, intermediate_size=160, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=64, tie_word_embeddings=True, rope_theta=50000.0,
            initializer_range=0.3, **ids)),
        "llama3_rope": LlamaForCausalLM(LlamaConfig(
            vocab_size=n, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=2,
            num_key_value_heads=2, head_dim=64, max_position_embeddings=256, tie_word_embeddings=False,
            initializer_range=0.3, rope_scaling={
                "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                "original_max_position_embeddings": 32}, **ids)),
        "llama_linear": LlamaForCausalLM(LlamaConfig(
            vocab_size=n, hidden_size=64, intermediate_size=96, num_hidden_layers=1, num_attention_heads=4,
            num_key_value_heads=1, max_position_embeddings=64, tie_word_embeddings=True, initializer_range=0.3,
            rope_scaling={"rope_type": "linear", "factor": 2.0}, **ids)),
        "gpt2": GPT2LMHeadModel(GPT2Config(
            vocab_size=n, n_embd=64, n_layer=2, n_head=4, n_positions=64, activation_function="gelu_new",
            initializer_range=0.3, **ids)),
        # llama.cpp's gelu is the tanh form, whatever the file says.
        "gptneox": GPTNeoXForCausalLM(GPTNeoXConfig(
            vocab_size=n, hidden_size=64, intermediate_size=160, num_hidden_layers=2, num_attention_heads=4, rotary_pct=0.25,
            max_position_embeddings=64, hidden_act="gelu_new", initializer_range=0.3, **ids)),
        "gptneox_serial": GPTNeoXForCausalLM(GPTNeoXConfig(
            vocab_size=n, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=2, rotary_pct=0.5,
            max_position_embeddings=64, hidden_act="gelu_new", use_parallel_residual=False, rotary_emb_base=500,
            initializer_range=0.3, **ids)),
        "bloom": BloomForCausalLM(BloomConfig(
            vocab_size=n, hidden_size=64, n_layer=2, n_head=4, seq_length=64, initializer_range=0.3, **ids)),
        "bloom_three_heads": BloomForCausalLM(BloomConfig(
            vocab_size=n, hidden_size=96, n_layer=2, n_head=3, seq_length=64, initializer_range=0.3, **ids)),
        "qwen2": Qwen2ForCausalLM(Qwen2Config(
            vocab_size=n, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
            max_position_embeddings=64, rope_theta=1e6, tie_word_embeddings=True, initializer_range=0.3, **ids)),
        "qwen2_untied": Qwen2ForCausalLM(Qwen2Config(
            vocab_size=n, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=4,
            max_position_embeddings=64, tie_word_embeddings=False, initializer_range=0.3, **ids)),
        "stablelm": StableLmForCausalLM(StableLmConfig(
            vocab_size=n, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
            max_position_embeddings=64, use_qkv_bias=True, initializer_range=0.3, **ids)),
    }
    paths = {}
    for name, model in made.items():
        for weight_name, weight in model.named_parameters():
            if weight_name.endswith("bias"):  # a bias that goes astray must show
                torch.nn.init.normal_(weight, std=0.3)
        paths[name] = folder / name
        model.save_pretrained(paths[name])
        PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<|endoftext|>",
                                eos_token="<|endoftext|>").save_pretrained(paths[name])
    return paths
