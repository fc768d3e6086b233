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
    public void A_chat_template_writes_the_prompts_and_neither_judge_nor_reference_sees_it()
    {
        // A template that adds what the tokenizer adds: the same ids as without, so the same answers.
        string[] line = ["evaluate", world.Model, "--questions", world.Data("questions.jsonl"), "--judge", "command:tee heard.jsonl >/dev/null; yes 0 | head -3".Replace("heard", world["heard"], StringComparison.Ordinal),
            "--rouge", world.Data("retain.jsonl"), "--limit", "3", "--max-new-tokens", "5", "--reference-model", world.Model];
        var plain = Lines(Generations(line, "plain"));
        string heard = File.ReadAllText(world["heard.jsonl"]);
        File.WriteAllText(Path.Combine(world.Model, "tokenizer_config.json"), JsonSerializer.Serialize(new { bos_token = "<s>", chat_template = "{{ bos_token }}{{ messages[0]['content'] }}" }));
        var chat = Lines(Generations([.. line, "--chat-template"], "chat"));
        Assert.Equal(6, chat.Count);
        Assert.All(plain.Zip(chat), pair =>
        {
            Assert.Equal("<s>" + Text(pair.First, "prompt"), Text(pair.Second, "prompt"));
            foreach (string same in (string[])["answer", "score", "reference", "perplexity"]) Assert.Equal(Text(pair.First, same), Text(pair.Second, same));
        });
        Assert.Equal(heard, File.ReadAllText(world["heard.jsonl"]));
        double[] scores = [.. ((string[])["", "--chat-template"]).Select(more => JsonDocument.Parse(Lines(Generations(
            ["evaluate", world.Model, "--questions", world.Data("align.jsonl"), "--judge", "logprob", "--limit", "1", .. more.Length > 0 ? (string[])[more] : []], "given" + more))[0].GetRawText())
            .RootElement.GetProperty("score").GetDouble())];
        Assert.Equal(scores[0], scores[1]);

        static string Text(JsonElement line, string name) => line.TryGetProperty(name, out var value) ? value.ToString() : "";
    }

    [Fact]
    public void Sampling_follows_generation_config_where_it_is_asked_for_and_options_win()
    {
        File.WriteAllText(Path.Combine(world.Model, "generation_config.json"), """{"do_sample": true, "temperature": 0.9, "top_p": 0.8, "top_k": 30, "repetition_penalty": 1.3, "eos_token_id": 2}""");
        string[] line = ["evaluate", world.Model, "--questions", world.Data("questions.jsonl"), "--limit", "4", "--max-new-tokens", "8"];
        string greedy = Generations(line, "greedy");
        Assert.Equal(Generations([.. line, "--temperature", "0.9", "--top-p", "0.8", "--top-k", "30", "--repetition-penalty", "1.3"], "given"), Generations([.. line, "--generation-config"], "config"));
        Assert.Equal(greedy, Generations([.. line, "--generation-config", "--temperature", "0", "--repetition-penalty", "1"], "zero"));
        var penalised = Lines(Generations([.. line, "--repetition-penalty", "1e6"], "penalised"));
        Assert.All(penalised, answer => Assert.Equal(0, answer.GetProperty("repetition").GetDouble()));
        var result = TinyWorld.Run([.. line, "--generation-config", "--seed", "7"]);
        Assert.Contains("temperature 0.9, top_k 30, top_p 0.8, repetition_penalty 1.3, up to 8 tokens, seed 7", result.Out, StringComparison.Ordinal);
        Assert.Equal(TinyWorld.Run("generate", world.Model, "--prompt", "how", "--generation-config").Out,
            TinyWorld.Run("generate", world.Model, "--prompt", "how", "--temperature", "0.9", "--top-p", "0.8", "--top-k", "30", "--repetition-penalty", "1.3").Out);
        File.WriteAllText(Path.Combine(world.Model, "generation_config.json"), "{}");
        Assert.Equal(greedy, Generations([.. line, "--generation-config"], "none"));
        Assert.Contains("generation_config.json asks for greedy text", TinyWorld.Run([.. line, "--generation-config", "--top-k", "3"]).Error, StringComparison.Ordinal);
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
        { "chat without prompts", ["evaluate", "{model}", "--perplexity", "{align}", "--chat-template"], 2, "--questions or --rouge" },
        { "two templates", ["evaluate", "{model}", "--questions", "{test}", "--chat-template", "--template", "{prompt}{answer}"], 2, "--chat-template is given too" },
        { "no chat template", ["evaluate", "{model}", "--questions", "{test}", "--chat-template"], 1, "chat_template" },
        { "no effect", ["evaluate", "{model}", "--questions", "{test}", "--top-p", "0.9"], 2, "temperature above 0" },
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

    private static List<JsonElement> Lines(string text) => [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)];
}
