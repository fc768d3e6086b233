namespace RepNoise.Host.Configuration;

/// <summary>
/// Keys that configurations for transformers and TRL often hold and that mean nothing here. Each has its own answer, since
/// "unknown key" would leave its author guessing. Silently ignoring one could change a result without a word.
/// </summary>
internal static class UnsupportedSettings
{
    private const string Precision = "weights train in float32 unless state_dtype says otherwise, device cuda computes in bfloat16, save_dtype chooses what is saved";
    private const string Saving = "save_steps says when checkpoints are saved, and the model is saved when the run ends or is interrupted";
    private const string Logging = "every step is logged to metrics.jsonl in the output folder";
    private const string Evaluating = "training does not evaluate";
    private const string Distributed = "a run uses one device";
    private const string Loading = "data is read whole before the first step";
    private const string Hub = "nothing is uploaded; the output folder can be pushed as it is";

    private static readonly Dictionary<string, string> Reasons = new(StringComparer.Ordinal)
    {
        ["bf16"] = Precision,
        ["fp16"] = Precision,
        ["tf32"] = Precision,
        ["torch_dtype"] = Precision,
        ["dtype"] = Precision,
        ["half_precision_backend"] = Precision,
        ["load_in_4bit"] = Precision,
        ["load_in_8bit"] = Precision,
        ["save_strategy"] = Saving,
        ["save_only_model"] = Saving,
        ["save_safetensors"] = "safetensors is the only format that is written",
        ["load_best_model_at_end"] = Evaluating,
        ["report_to"] = Logging,
        ["run_name"] = Logging,
        ["logging_dir"] = Logging,
        ["logging_steps"] = Logging,
        ["logging_strategy"] = Logging,
        ["logging_first_step"] = Logging,
        ["disable_tqdm"] = "progress turns to plain lines by itself where output is not a terminal",
        ["eval_steps"] = Evaluating,
        ["eval_strategy"] = Evaluating,
        ["evaluation_strategy"] = Evaluating,
        ["per_device_eval_batch_size"] = Evaluating,
        ["metric_for_best_model"] = Evaluating,
        ["do_train"] = "the command says what is done",
        ["do_eval"] = Evaluating,
        ["deepspeed"] = Distributed,
        ["fsdp"] = Distributed,
        ["fsdp_config"] = Distributed,
        ["ddp_backend"] = Distributed,
        ["local_rank"] = Distributed,
        ["accelerator_config"] = Distributed,
        ["gradient_checkpointing_kwargs"] = "gradient_checkpointing recomputes whole layers and has no choices",
        ["auto_find_batch_size"] = "repnoise plan --memory finds the largest batch that fits, before a run",
        ["torch_compile"] = "there is no graph to compile",
        ["use_cpu"] = "device: cpu says it",
        ["no_cuda"] = "device: cpu says it",
        ["dataloader_num_workers"] = Loading,
        ["dataloader_drop_last"] = Loading,
        ["dataloader_pin_memory"] = Loading,
        ["remove_unused_columns"] = Loading,
        ["group_by_length"] = "order comes from data_seed alone",
        ["packing"] = "sequences are packed without padding already",
        ["label_smoothing_factor"] = "the loss is plain cross-entropy",
        ["neftune_noise_alpha"] = "embeddings get no noise",
        ["optim_args"] = "adam_beta1, adam_beta2, adam_epsilon, momentum and nesterov are settings of their own",
        ["lr_scheduler_kwargs"] = "schedules take no further arguments",
        ["use_peft"] = "lora_rank above 0 says it",
        ["lora_dropout"] = "adapters have no dropout",
        ["push_to_hub"] = Hub,
        ["hub_model_id"] = Hub,
        ["hub_token"] = Hub,
        ["full_determinism"] = "every run is deterministic",
    };

    /// <summary>What the same thing is called here.</summary>
    private static readonly Dictionary<string, string> Renamed = new(StringComparer.Ordinal)
    {
        ["model_name_or_path"] = "model",
        ["tokenizer_name"] = "model",
        ["dataset_name"] = "pairs",
        ["train_file"] = "data",
        ["max_seq_length"] = "max_length",
        ["train_batch_size"] = "per_device_train_batch_size",
        ["batch_size"] = "per_device_train_batch_size",
        ["per_gpu_train_batch_size"] = "per_device_train_batch_size",
        ["lr"] = "learning_rate",
        ["epochs"] = "num_train_epochs",
        ["num_epochs"] = "num_train_epochs",
        ["steps"] = "max_steps",
        ["scheduler"] = "lr_scheduler_type",
        ["optimizer"] = "optim",
        ["dataset_text_field"] = "text_field",
        ["lora_r"] = "lora_rank",
        ["shuffle_dataset"] = "shuffle",
        ["max_samples"] = "max_train_samples",
    };

    /// <summary>Why <paramref name="key"/> has no place here, as a clause, or null where it is not known at all.</summary>
    public static string? Reason(string key) => Reasons.GetValueOrDefault(key);

    /// <summary>The setting that <paramref name="key"/> is called here, or null.</summary>
    public static string? NameHere(string key) => Renamed.GetValueOrDefault(key);
}
