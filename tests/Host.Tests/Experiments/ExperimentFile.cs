using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.Experiments;

/// <summary>Experiments on the tiny model: files and folders of their own.</summary>
internal static class ExperimentFile
{
    /// <summary>Two defences, two attacks, a task, on one seed unless told otherwise; a few steps each.</summary>
    public static string Write(TinyWorld world, string output = "out", string seeds = "[42]", string more = "", int steps = 2)
    {
        string path = world[output + ".yaml"], probed = world["probed.jsonl"];
        File.WriteAllLines(probed, File.ReadLines(world.Data("pairs.jsonl")).Take(5));
        File.WriteAllText(path, $$"""
            title: Tiny
            output_dir: {{world[output]}}
            models:
              tiny: {{world.Model}}
            settings:
              threads: 1
              per_device_train_batch_size: 2
              max_steps: {{steps}}
            defences:
              none:
              repnoise:
                pairs: {{world.Data("pairs.jsonl")}}
                learning_rate: 1e-3
            attacks:
              sft:
                data: {{world.Data("attack.jsonl")}}
                learning_rate: [1e-4, 1e-3]
            tasks:
              towns:
                data: {{world.Data("retain.jsonl")}}
                evaluation:
                  rouge: {{world.Data("retain.jsonl")}}
                  limit: 2
                  max_new_tokens: 2
            seeds: {{seeds}}
            evaluations:
              potions:
                questions: {{world.Data("test.jsonl")}}
                judge: slots
                slot_words: {{world.Data("fields.json")}}
                limit: 3
                max_new_tokens: 3
              texts:
                perplexity: {{world.Data("test.jsonl")}}
                text_field: prompt
            probes:
              depth:
                data: {{probed}}
                seeds: 1
                other: base
                attacks: sft lr=1e-3
            {{more}}
            """);
        return path;
    }
}
