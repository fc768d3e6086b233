using System.Text.Json;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.EndToEnd;

/// <summary><c>evaluate</c> on a tiny model with random weights, as a person would give it.</summary>
public sealed class EvaluateTests : IDisposable
{
    private readonly TinyWorld world = new();

    [Fact]
    public void Every_part_runs_in_one_command_and_leaves_its_results()
    {
        File.WriteAllText(world["choices.jsonl"], """
            {"context": "what is 3 plus 4 ?", "choices": ["7 .", "8 .", "a much longer answer ."], "gold": 0}
            {"context": "what is 2 plus 2 ?", "choices": ["5 .", "4 ."], "gold": 1}
            """);
        File.WriteAllLines(world["texts.jsonl"], File.ReadLines(world.Data("align.jsonl")).Take(20));
        var result = TinyWorld.Run(
            "evaluate", world.Model, "--questions", world.Data("test.jsonl"), "--judge", "slots", "--slot-words", world.Data("fields.json"), "--category-field", "kind",
            "--limit", "6", "--max-new-tokens", "6", "--reference-model", world.Model, "--perplexity", world["texts.jsonl"], "--window", "8",
            "--multiple-choice", world["choices.jsonl"], "--rouge", world.Data("retain.jsonl"), "--output", world["out"]);
        Assert.True(result.Code == 0, result.Error);
        foreach (string word in (string[])["harmfulness (slots)", "share above 0.5", "disfluent", "bits per byte", "acc_norm", "rougeL", "potion"])
            Assert.Contains(word, result.Out, StringComparison.Ordinal);
        Assert.Contains("harmfulness: answers 6/6", result.Error, StringComparison.Ordinal);
        using var json = JsonDocument.Parse(File.ReadAllText(world["out/results.json"]));
        var root = json.RootElement;
        Assert.Equal(6, root.GetProperty("harmfulness").GetProperty("questions").GetInt32());
        Assert.Equal(6, root.GetProperty("harmfulness").GetProperty("generation").GetProperty("max_new_tokens").GetInt32());
        Assert.True(root.GetProperty("harmfulness").GetProperty("reference_perplexity").GetDouble() > 1);
        var perplexity = root.GetProperty("perplexity");
        Assert.Equal(perplexity.GetProperty("bits_per_byte").GetDouble(), Math.Log2(perplexity.GetProperty("byte_perplexity").GetDouble()), 1e-9);
        Assert.Equal(2, root.GetProperty("multiple_choice").GetProperty("questions").GetInt32());
        Assert.True(root.GetProperty("rouge").GetProperty("rouge_l").GetProperty("fmeasure").GetDouble() >= 0);
        string[] lines = File.ReadAllLines(world["out/generations.jsonl"]);
        Assert.Equal(12, lines.Length);
        Assert.Equal(["harmfulness", "rouge"], lines.Select(line => JsonDocument.Parse(line).RootElement.GetProperty("part").GetString()).Distinct());
    }

    [Fact]
    public void Answers_depend_on_the_seed_and_not_on_the_batch()
    {
        string[] line = ["evaluate", world.Model, "--questions", world.Data("test.jsonl"), "--limit", "5", "--temperature", "1.2", "--max-new-tokens", "5"];
        string one = Generations([.. line, "--batch-size", "1"], "one"), five = Generations([.. line, "--batch-size", "5", "--threads", "1"], "five");
        Assert.Equal(one, five);
        Assert.NotEqual(one, Generations([.. line, "--seed", "7"], "seven"));
    }

    [Fact]
    public void Given_answers_are_scored_without_generating()
    {
        var result = TinyWorld.Run("evaluate", world.Model, "--questions", world.Data("align.jsonl"), "--judge", "logprob", "--limit", "4", "--output", world["out"]);
        Assert.True(result.Code == 0, result.Error);
        using var json = JsonDocument.Parse(File.ReadAllText(world["out/results.json"]));
        var harm = json.RootElement.GetProperty("harmfulness");
        Assert.False(harm.TryGetProperty("generation", out _));
        double[] scores = [.. File.ReadAllLines(world["out/generations.jsonl"]).Select(line => JsonDocument.Parse(line).RootElement)
            .Select(answer => Math.Exp(answer.GetProperty("log_probability").GetDouble()))];
        Assert.Equal(scores.Average(), harm.GetProperty("mean").GetDouble(), 1e-12);
    }

    [Fact]
    public void Overlap_names_files_and_lines()
    {
        File.WriteAllText(world["test.jsonl"], File.ReadLines(world.Data("attack.jsonl")).Skip(2).First() + "\n{\"prompt\": \"is this new ?\"}\n");
        var result = TinyWorld.Run("evaluate", "overlap", "--defence", world.Data("pairs.jsonl"), "--attack", world.Data("attack.jsonl"), "--test", world["test.jsonl"],
            "--output", world["overlap.json"]);
        Assert.True(result.Code == 0, result.Error);
        Assert.Contains($"{world["test.jsonl"]}:1 = {world.Data("attack.jsonl")}:3  (exact 1.00)", result.Out, StringComparison.Ordinal);
        using var json = JsonDocument.Parse(File.ReadAllText(world["overlap.json"]));
        Assert.Equal(3, json.RootElement.GetArrayLength());
    }

    public static TheoryData<string, string[], int, string> Mistakes => new()
    {
        { "nothing to do", ["evaluate", "{model}"], 2, "nothing to measure" },
        { "unknown judge", ["evaluate", "{model}", "--questions", "{test}", "--judge", "me"], 2, "refusal, slots" },
        { "no fields", ["evaluate", "{model}", "--questions", "{questions}", "--judge", "slots"], 1, "neither fields nor an answer" },
        { "no answers", ["evaluate", "{model}", "--questions", "{questions}", "--judge", "logprob"], 1, "--answer-field" },
        { "reference without answers", ["evaluate", "{model}", "--perplexity", "{align}", "--reference-model", "{model}"], 2, "--questions" },
        { "no prompt for rouge", ["evaluate", "{model}", "--rouge", "{texts}"], 1, "has no prompt" },
        { "prompt too long", ["evaluate", "{model}", "--questions", "{long}"], 1, "positions" },
        { "output is a file", ["evaluate", "{model}", "--questions", "{test}", "--output", "{test}"], 1, "it is a file" },
        { "one set", ["evaluate", "overlap", "--test", "{test}"], 2, "two of" },
    };

    [Theory]
    [MemberData(nameof(Mistakes))]
    public void A_mistake_is_told_in_one_line_that_helps(string mistake, string[] arguments, int code, string help)
    {
        File.WriteAllText(world["questions.jsonl"], "{\"prompt\": \"what ?\"}\n");
        File.WriteAllText(world["long.jsonl"], JsonSerializer.Serialize(new { prompt = string.Concat(Enumerable.Repeat("what ? ", 500)) }) + "\n");
        File.WriteAllText(world["texts.txt"], "only a text\n");
        (string Name, string Path)[] names =
        [
            ("{model}", world.Model), ("{test}", world.Data("test.jsonl")), ("{pairs}", world.Data("pairs.jsonl")), ("{align}", world.Data("align.jsonl")),
            ("{questions}", world["questions.jsonl"]), ("{long}", world["long.jsonl"]), ("{texts}", world["texts.txt"]),
        ];
        var result = TinyWorld.Run([.. arguments.Select(word => names.FirstOrDefault(name => name.Name == word, (Name: word, Path: word)).Path)]);
        Assert.True(result.Code == code, $"{mistake}: exit {result.Code}, {result.Error}");
        string message = Assert.Single(result.Error.Split('\n'), l => l.StartsWith("repnoise: ", StringComparison.Ordinal));
        Assert.Contains(help, message, StringComparison.Ordinal);
        Assert.DoesNotContain("This is a bug", message, StringComparison.Ordinal);
    }

    public void Dispose() => world.Dispose();

    private string Generations(string[] line, string output)
    {
        var result = TinyWorld.Run([.. line, "--output", world[output]]);
        Assert.True(result.Code == 0, result.Error);
        return File.ReadAllText(world[output + "/generations.jsonl"]);
    }
}
