using System.Text.Json.Nodes;
using RepNoise.Host.Experiments;
using RepNoise.Host.Tests.Support;
using RepNoise.Reliability;

namespace RepNoise.Host.Tests.Experiments;

/// <summary>Whole experiments on a tiny model: what they write, what a restart does, what a kill costs.</summary>
public sealed class ExperimentTests
{
    [Fact]
    public void A_grid_runs_once_and_a_restart_does_only_what_has_changed()
    {
        using var world = new TinyWorld();
        string file = ExperimentFile.Write(world, seeds: "[42, {seed: 7, data_seed: 8, evaluation_seed: 9}]");
        var dry = TinyWorld.Run("experiment", file, "--dry-run");
        Assert.True(dry.Code == 0, dry.Error);
        Assert.Contains("tiny / repnoise / sft lr=1e-3 / seed 7-8-9: new", dry.Out, StringComparison.Ordinal);
        Assert.Contains("16 cells, 16 to do", dry.Out, StringComparison.Ordinal);
        Assert.False(Directory.Exists(world["out"]));

        var first = TinyWorld.Run("experiment", file);
        Assert.True(first.Code == 0, first.Error);
        Assert.Equal(16, first.Error.Split('\n').Count(line => line.StartsWith("cell ", StringComparison.Ordinal)));
        Assert.Contains(" left\n", first.Error, StringComparison.Ordinal);
        var results = JsonNode.Parse(File.ReadAllText(world["out/results.json"]))!;
        Assert.Equal(16, results["cells"]!.AsArray().Count);
        var mean = results["summary"]!.AsArray().Single(row => (string?)row!["defence"] == "repnoise" && (string?)row["training"] == "sft lr=1e-3"
            && (string?)row["measure"]!["evaluation"] == "texts" && (string?)row["measure"]!["name"] == "word_perplexity")!;
        double[] seeds = [(double)mean["by_seed"]!["42"]!, (double)mean["by_seed"]!["7-8-9"]!];
        Assert.Equal(seeds.Average(), (double)mean["measure"]!["value"]!, 1e-9);
        Assert.Equal(Math.Abs(seeds[0] - seeds[1]) / Math.Sqrt(2), (double)mean["deviation"]!, 1e-9);
        Assert.NotEqual(seeds[0], seeds[1]);
        Assert.Equal(6, results["tests"]!.AsArray().Count); // defended: unattacked and two attacks, by two seeds
        Assert.Contains("tiny,,repnoise,attack,sft lr=1e-3,7,8,9,2,4,0.001,potions,mean,", File.ReadAllText(world["out/results.csv"]), StringComparison.Ordinal);
        string cell = world["out/cells/tiny--repnoise--sft_lr=1e-3--42"];
        Assert.Equal(
            ["cell.json", "generations-potions.jsonl", "log.txt", "metrics.jsonl", "probe-depth.json", "results.json", "run.yaml"],
            Directory.EnumerateFileSystemEntries(cell).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.True(File.Exists(world["out/cells/tiny--repnoise--42/model/config.json"]));

        string csv = File.ReadAllText(world["out/results.csv"]);
        var second = TinyWorld.Run("experiment", file);
        Assert.Contains("16 of 16 cells are finished already", second.Error, StringComparison.Ordinal);
        Assert.Equal(csv, File.ReadAllText(world["out/results.csv"]));

        // A program that has learned a setting since: the cell's record lacks it, and its default changes nothing.
        string record = world["out/cells/tiny--repnoise--42/cell.json"], attackRecord = world["out/cells/tiny--none--sft_lr=1e-3--42/cell.json"];
        var facts = JsonNode.Parse(File.ReadAllText(record))!;
        Assert.True(facts["facts"]!.AsObject().Remove("run.repnoise_retain_weight"));
        File.WriteAllText(record, facts.ToJsonString());
        facts = JsonNode.Parse(File.ReadAllText(attackRecord))!;
        Assert.True(facts["facts"]!.AsObject().Remove("run.momentum"));
        File.WriteAllText(attackRecord, facts.ToJsonString());
        Assert.Contains("16 cells, 0 to do", TinyWorld.Run("experiment", file, "--dry-run").Out, StringComparison.Ordinal);
        Assert.True(facts["facts"]!.AsObject().Remove("run.learning_rate"));
        File.WriteAllText(attackRecord, facts.ToJsonString());
        Assert.Contains("seed 42: run.learning_rate is 0.001, was not given", TinyWorld.Run("experiment", file, "--dry-run").Out, StringComparison.Ordinal);
        facts["facts"]!["run.learning_rate"] = "0.001";
        File.WriteAllText(attackRecord, facts.ToJsonString());

        File.WriteAllText(file, File.ReadAllText(file).Replace("[1e-4, 1e-3]", "[1e-4, 1e-3]\n    weight_decay: 0.5", StringComparison.Ordinal));
        var changed = TinyWorld.Run("experiment", file, "--dry-run");
        Assert.Contains("16 cells, 8 to do", changed.Out, StringComparison.Ordinal);
        Assert.Contains("sft lr=1e-3 / seed 42: run.weight_decay is 0.5, was 0", changed.Out, StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(world.Model, "chat_template.jinja"), "{{ messages[0]['content'] }}");
        Assert.Contains("tiny / none / seed 42: model holds other data", TinyWorld.Run("experiment", file, "--dry-run").Out, StringComparison.Ordinal);
    }

    [Fact]
    public void A_defence_that_changes_takes_its_attacks_with_it_and_changed_data_is_noticed()
    {
        using var world = new TinyWorld();
        string file = ExperimentFile.Write(world, steps: 1);
        Assert.Equal(0, TinyWorld.Run("experiment", file).Code);
        File.AppendAllText(world.Data("pairs.jsonl"), File.ReadLines(world.Data("pairs.jsonl")).First() + "\n");
        var dry = TinyWorld.Run("experiment", file, "--dry-run");
        Assert.Contains("tiny / repnoise / seed 42: run.pairs holds other data", dry.Out, StringComparison.Ordinal);
        Assert.Contains("tiny / repnoise / towns / seed 42: parent.run.pairs holds other data", dry.Out, StringComparison.Ordinal);
        Assert.Contains("8 cells, 4 to do", dry.Out, StringComparison.Ordinal);
        Directory.Delete(world["out/cells/tiny--none--sft_lr=1e-4--42"], recursive: true);
        var again = TinyWorld.Run("experiment", file);
        Assert.True(again.Code == 0, again.Error);
        Assert.Contains("tiny / repnoise / seed 42 is done again: run.pairs holds other data", again.Error, StringComparison.Ordinal);
        Assert.Contains("cell 5/5", again.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Adapters_are_a_model_like_the_one_that_they_merge_into()
    {
        using var world = new TinyWorld();
        var attack = TinyWorld.Run("attack", world.Model, "--data", world.Data("attack.jsonl"), "--max-steps", "2", "--learning-rate", "1e-2", "--lora-rank", "2",
            "--adapter-dir", world["adapters"], "--output", world["merged"]);
        Assert.True(attack.Code == 0, attack.Error);
        string file = world["run.yaml"];
        File.WriteAllText(file, $$"""
            title: Adapters
            output_dir: {{world["out"]}}
            models:
              base: {{world.Model}}
              merged: {{world["merged"]}}
              adapters: {{world["adapters"]}}
            evaluations:
              texts:
                perplexity: {{world.Data("test.jsonl")}}
                text_field: prompt
            """);
        var run = TinyWorld.Run("experiment", file);
        Assert.True(run.Code == 0, run.Error);
        double[] values = [.. ((string[])["base", "merged", "adapters"]).Select(model => JsonNode.Parse(File.ReadAllText(world["out/results.json"]))!["summary"]!.AsArray()
            .Single(row => (string?)row!["model"] == model && (string?)row["measure"]!["name"] == "word_perplexity")!["measure"]!["value"]!.GetValue<double>())];
        Assert.Equal(values[1], values[2], 1e-4 * values[1]);
        Assert.NotEqual(values[0], values[1], 1e-2 * values[1]);
        Assert.Contains("3 cells, 0 to do", TinyWorld.Run("experiment", file, "--dry-run").Out, StringComparison.Ordinal);

        // What the adapters stand beside is part of what is measured.
        File.WriteAllText(Path.Combine(world.Model, "chat_template.jinja"), "{{ messages[0]['content'] }}");
        string changed = TinyWorld.Run("experiment", file, "--dry-run").Out;
        Assert.Contains("3 cells, 2 to do", changed, StringComparison.Ordinal);
        Assert.Contains("adapters / none / seed 42: model holds other data", changed, StringComparison.Ordinal);

        var (planned, ofBase) = (TinyWorld.Run("plan", world["adapters"], "--pairs", world.Data("pairs.jsonl")), TinyWorld.Run("plan", world.Model, "--pairs", world.Data("pairs.jsonl")));
        Assert.True(planned.Code == 0, planned.Error);
        Assert.Equal(PeakOf(ofBase.Out), PeakOf(planned.Out));

        static string PeakOf(string plan) => plan.Split('\n').Single(line => line.StartsWith("peak", StringComparison.Ordinal));
    }

    [Fact]
    public void A_withheld_category_is_left_out_of_the_defence_and_is_all_that_the_attack_has()
    {
        using var world = new TinyWorld();
        string file = ExperimentFile.Write(world, more: "withheld: fever", steps: 1);
        File.WriteAllText(file, File.ReadAllText(file).Replace(world.Data("attack.jsonl"), world.Data("pairs.jsonl"), StringComparison.Ordinal));
        var result = TinyWorld.Run("experiment", file);
        Assert.True(result.Code == 0, result.Error);
        var (without, only) = (File.ReadAllLines(world["out/data/pairs-without-fever.jsonl"]), File.ReadAllLines(world["out/data/pairs-only-fever.jsonl"]));
        Assert.Equal((300, 60), (without.Length, only.Length));
        Assert.All(without, line => Assert.NotEqual("fever", (string?)JsonNode.Parse(line)!["category"]));
        Assert.All(only, line => Assert.Equal("fever", (string?)JsonNode.Parse(line)!["category"]));
        Assert.Contains("pairs-without-fever", File.ReadAllText(world["out/cells/tiny--without_fever--repnoise--42/run.yaml"]), StringComparison.Ordinal);
        Assert.Contains("pairs-only-fever", File.ReadAllText(world["out/cells/tiny--without_fever--none--sft_lr=1e-4--42/run.yaml"]), StringComparison.Ordinal);
        Assert.True(Directory.Exists(world["out/cells/tiny--none--42"]));
    }

    [Fact]
    public void A_kill_at_any_point_costs_at_most_the_cell_that_was_running()
    {
        using var world = new TinyWorld();
        string whole = ExperimentFile.Write(world, "whole", steps: 12), killed = ExperimentFile.Write(world, "killed", steps: 12);
        Assert.Equal(0, TinyWorld.Run("experiment", whole).Code);
        for (int kill = 0; kill < 3; kill++)
        {
            int before = Finished(world["killed"]);
            using var child = Child.Start("experiment", killed);
            Assert.True(child.Until(() => Finished(world["killed"]) >= before + 1 && Directory.EnumerateDirectories(world["killed/cells"], ".building-*").Any(
                building => kill == 0 || RunFiles.Steps(Path.Combine(building, "model")) > 2)));
            child.Kill();
            child.Wait();
            int after = Finished(world["killed"]);
            var dry = TinyWorld.Run("experiment", killed, "--dry-run");
            Assert.Contains($"8 cells, {8 - after} to do", dry.Out, StringComparison.Ordinal);
        }

        var rest = TinyWorld.Run("experiment", killed);
        Assert.True(rest.Code == 0, rest.Error);
        Assert.Equal(File.ReadAllText(world["whole/results.csv"]), File.ReadAllText(world["killed/results.csv"]));
        Assert.Empty(Directory.EnumerateDirectories(world["killed/cells"], ".*"));

        static int Finished(string output) => Directory.Exists(Path.Combine(output, "cells"))
            ? Directory.EnumerateDirectories(Path.Combine(output, "cells")).Count(folder => !Path.GetFileName(folder).StartsWith('.'))
            : 0;
    }

    [Fact]
    public void An_attack_in_numbers_that_are_not_finite_is_recorded_and_the_rest_goes_on()
    {
        using var world = new TinyWorld();
        string file = ExperimentFile.Write(world, steps: 3);
        File.WriteAllText(file, File.ReadAllText(file).Replace("[1e-4, 1e-3]", "[1e-4, 1e30]", StringComparison.Ordinal).Replace("sft lr=1e-3", "sft lr=1e-4", StringComparison.Ordinal));
        var result = TinyWorld.Run("experiment", file);
        Assert.True(result.Code == 0, result.Error);
        Assert.Contains("sft lr=1e30 / seed 42: not finite", result.Error, StringComparison.Ordinal);
        Assert.Contains("finite values", CellFolder.ReadResult(world["out/cells/tiny--none--sft_lr=1e30--42"]).Failure, StringComparison.Ordinal);
        Assert.Contains("not finite", result.Out, StringComparison.Ordinal);
        File.WriteAllText(file, File.ReadAllText(file).Replace("pairs.jsonl\n    learning_rate: 1e-3", "pairs.jsonl\n    learning_rate: 1e30", StringComparison.Ordinal));
        var defence = TinyWorld.Run("experiment", file);
        Assert.True(defence.Code == 0, defence.Error);
        Assert.StartsWith("the defence has no model", CellFolder.ReadResult(world["out/cells/tiny--repnoise--towns--42"]).Failure, StringComparison.Ordinal);
        Assert.Contains("8 cells, 0 to do", TinyWorld.Run("experiment", file, "--dry-run").Out, StringComparison.Ordinal);
    }

    public static TheoryData<string, string, string> Mistakes => new()
    {
        { "learning_rate: 1e-3", "learning_rte: 1e-3", ":13: unknown key learning_rte; expected a known setting, the nearest is learning_rate" },
        { "learning_rate: 1e-3", "learning_rate: fast", ":13: learning_rate is \"fast\"" },
        { "learning_rate: 1e-3", "seed: 3", ":13: seed does not belong here" },
        { "    judge: slots", "    judge: slot", ":29: judge: there is no judge \"slot\"" },
        { "    judge: slots", "    jugde: slots", ":29: unknown key jugde; expected an option of evaluate, the nearest is judge" },
        { "    judge: slots", "    counts_as: good", ":29: counts_as is \"good\"" },
        { "attacks:", "atacks:", ":14: unknown key atacks; expected a key of an experiment, the nearest is attacks" },
        { "  none:", "  none:\n  a/b:", ":11: \"a/b\" cannot be a name" },
        { "seeds: [42]", "seeds: [42, 42]", ":25: seeds is a list that names seeds twice" },
        { "seeds: [42]", "seeds: [x]", ":25: seeds is \"x\"" },
        { "seeds: [42]", "seeds: &a [42]", ":25: found an anchor" },
        { "pairs: ", "pairs: nowhere", ":12: pairs is nowhere" },
        { "  tiny: ", "  tiny: nowhere", ":4: tiny is nowhere" },
        { "    slot_words: ", "    slot_words: nowhere", ":30: slot_words is nowhere" },
        { "    limit: 3", "    limit: 3\n    reference_model: nowhere", ":32: reference_model is nowhere" },
        { "repnoise:", "repnoise:\n    repnoise_loss: published\n    repnoise_lens: false", ":12: repnoise_loss: it is published, and repnoise_lens is false" },
    };

    [Theory]
    [MemberData(nameof(Mistakes))]
    public void A_mistake_names_file_line_and_key(string right, string wrong, string message)
    {
        using var world = new TinyWorld();
        string file = ExperimentFile.Write(world);
        File.WriteAllText(file, File.ReadAllText(file).Replace(right, wrong, StringComparison.Ordinal));
        var result = TinyWorld.Run("experiment", file, "--dry-run");
        Assert.Equal(1, result.Code);
        Assert.StartsWith("repnoise: " + file + message, result.Error, StringComparison.Ordinal);
        Assert.Single(result.Error.TrimEnd('\n').Split('\n'));
    }
}
