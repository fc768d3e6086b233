namespace RepNoise.Host.Tests.Checkpoints;

/// <summary>config.json of every reference model, as its tool wrote it (keys that neither dialect cares about left out).</summary>
internal static class ConfigSamples
{
    public const string LlamaMha = """
        {"architectures":["LlamaForCausalLM"],"attention_bias":false,"attention_dropout":0.0,"bos_token_id":1,"dtype":"float32","eos_token_id":2,
        "head_dim":16,"hidden_act":"silu","hidden_size":64,"initializer_range":0.02,"intermediate_size":172,"max_position_embeddings":128,
        "mlp_bias":false,"model_type":"llama","num_attention_heads":4,"num_hidden_layers":3,"num_key_value_heads":4,"pad_token_id":null,
        "pretraining_tp":1,"rms_norm_eps":1e-06,"rope_parameters":{"rope_theta":10000.0,"rope_type":"default"},"tie_word_embeddings":false,
        "transformers_version":"5.12.1","use_cache":true,"vocab_size":131}
        """;

    public const string Llama3Gqa = """
        {"architectures":["LlamaForCausalLM"],"attention_bias":false,"attention_dropout":0.0,"bos_token_id":1,"dtype":"bfloat16","eos_token_id":2,
        "head_dim":16,"hidden_act":"silu","hidden_size":96,"initializer_range":0.02,"intermediate_size":200,"max_position_embeddings":256,
        "mlp_bias":false,"model_type":"llama","num_attention_heads":6,"num_hidden_layers":2,"num_key_value_heads":2,"pad_token_id":null,
        "pretraining_tp":1,"rms_norm_eps":1e-05,"rope_parameters":{"factor":8.0,"high_freq_factor":4.0,"low_freq_factor":1.0,
        "original_max_position_embeddings":64,"rope_theta":500000.0,"rope_type":"llama3"},"tie_word_embeddings":true,
        "transformers_version":"5.12.1","use_cache":true,"vocab_size":149}
        """;

    public const string LlamaPadEos = """
        {"bos_token_id":1,"eos_token_id":2,"hidden_act":"silu","rms_norm_eps":1e-05,"use_cache":true,"transformers_version":"4.40.0",
        "architectures":["LlamaForCausalLM"],"model_type":"llama","torch_dtype":"float32","vocab_size":211,"hidden_size":72,
        "intermediate_size":184,"num_hidden_layers":2,"num_attention_heads":3,"num_key_value_heads":3,"max_position_embeddings":256,
        "rope_theta":10000.0,"rope_scaling":null,"tie_word_embeddings":false,"attention_bias":false}
        """;

    public const string Mistral = """
        {"architectures":["MistralForCausalLM"],"attention_dropout":0.0,"bos_token_id":1,"dtype":"float16","eos_token_id":2,"head_dim":16,
        "hidden_act":"silu","hidden_size":64,"initializer_range":0.02,"intermediate_size":120,"max_position_embeddings":128,
        "model_type":"mistral","num_attention_heads":4,"num_hidden_layers":2,"num_key_value_heads":2,"pad_token_id":null,"rms_norm_eps":1e-06,
        "rope_parameters":{"rope_theta":10000.0,"rope_type":"default"},"sliding_window":7,"tie_word_embeddings":false,
        "transformers_version":"5.12.1","use_cache":true,"vocab_size":127}
        """;

    public const string Qwen2 = """
        {"architectures":["Qwen2ForCausalLM"],"attention_dropout":0.0,"bos_token_id":null,"dtype":"float32","eos_token_id":null,
        "hidden_act":"silu","hidden_size":80,"initializer_range":0.02,"intermediate_size":144,"layer_types":["full_attention","full_attention"],
        "max_position_embeddings":128,"max_window_layers":28,"model_type":"qwen2","num_attention_heads":5,"num_hidden_layers":2,
        "num_key_value_heads":1,"pad_token_id":null,"rms_norm_eps":1e-06,"rope_parameters":{"rope_theta":1000000.0,"rope_type":"default"},
        "sliding_window":null,"tie_word_embeddings":true,"transformers_version":"5.12.1","use_cache":true,"use_sliding_window":false,"vocab_size":140}
        """;

    public const string Qwen3 = """
        {"architectures":["Qwen3ForCausalLM"],"attention_bias":false,"attention_dropout":0.0,"bos_token_id":null,"dtype":"float32",
        "eos_token_id":null,"head_dim":32,"hidden_act":"silu","hidden_size":64,"initializer_range":0.02,"intermediate_size":160,
        "layer_types":["full_attention","full_attention"],"max_position_embeddings":128,"max_window_layers":28,"model_type":"qwen3",
        "num_attention_heads":4,"num_hidden_layers":2,"num_key_value_heads":2,"pad_token_id":null,"rms_norm_eps":1e-06,
        "rope_parameters":{"rope_theta":1000000.0,"rope_type":"default"},"sliding_window":null,"tie_word_embeddings":false,
        "transformers_version":"5.12.1","use_cache":true,"use_sliding_window":false,"vocab_size":133}
        """;

    public static IReadOnlyDictionary<string, string> All { get; } = new Dictionary<string, string>
    {
        ["llama-mha"] = LlamaMha,
        ["llama3-gqa"] = Llama3Gqa,
        ["llama-pad-eos"] = LlamaPadEos,
        ["mistral"] = Mistral,
        ["qwen2"] = Qwen2,
        ["qwen3"] = Qwen3,
    };
}
