using RepNoise.Host.Checkpoints;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Model;
using RepNoise.Host.Tokenizers;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>Continues prompts, printing each text as it grows.</summary>
internal static class GenerateHandler
{
    public static int Run(GenerateOptions options, Terminal terminal, CancellationToken stop)
    {
        options.Dump?.CheckFolder();
        using var folder = ModelFolder.Open(options.Model);
        var tokenizer = Tokenizer.Load(folder.FullPath);
        var prompts = options.Prompts.Count > 0 ? options.Prompts : ReadPrompts(terminal.In);
        int[][] ids = [.. prompts.Select(p => Encode(tokenizer, folder.Config, p, options))];
        if (ids.Length == 0) throw new InputException("standard input", "there is no prompt", "one prompt a line", "give one with --prompt");
        using var device = Handling.CreateDevice(options.Device, options.Threads, []);
        using var parameters = Handling.LoadForInference(folder, device);
        int longest = Math.Min(ids.Max(p => p.Length) + options.MaxNewTokens, folder.Config.MaxPositionEmbeddings);
        using var generator = new Generator(parameters, 1, longest);
        using var dump = options.Dump?.Attach(device);
        var sampling = new SamplingOptions { Temperature = options.Temperature, TopK = options.TopK, TopP = options.TopP, Seed = options.Seed };
        for (int i = 0; i < ids.Length && !stop.IsCancellationRequested; i++)
        {
            terminal.Out.Write(prompts[i]);
            var stream = new TextStream(tokenizer, ids[i], terminal.Out);
            generator.Generate([ids[i]], options.MaxNewTokens, sampling, folder.Generation.EosTokenIds, (_, id) => stream.Add(id), firstStream: i, stop);
            stream.Finish();
        }

        return stop.IsCancellationRequested ? ExitCodes.Interrupted : ExitCodes.Done;
    }

    private static List<string> ReadPrompts(TextReader reader)
    {
        var prompts = new List<string>();
        while (reader.ReadLine() is { } line)
        {
            if (line.Length > 0) prompts.Add(line);
        }

        return prompts;
    }

    private static int[] Encode(Tokenizer tokenizer, ModelConfig config, string prompt, GenerateOptions options)
    {
        int[] ids = tokenizer.Encode(prompt);
        string shown = prompt.Length > 40 ? prompt[..40] + "..." : prompt;
        if (ids.Length == 0 || ids.Length >= config.MaxPositionEmbeddings)
            throw new InputException($"prompt \"{shown}\"", $"it has {ids.Length} tokens",
                $"at least one and fewer than the model's {config.MaxPositionEmbeddings} positions", "change the prompt");
        int foreign = Array.FindIndex(ids, id => id >= config.VocabSize);
        if (foreign >= 0)
            throw new InputException($"prompt \"{shown}\"", $"the tokenizer gives id {ids[foreign]}", $"ids below the model's vocab_size {config.VocabSize}",
                "use the tokenizer that belongs to the model");
        return ids;
    }

    /// <summary>
    /// Writes the text of ids as they come. A token may be part of a character, and decoding depends on what stands before; so
    /// all ids are decoded each time, and what is new and whole is written.
    /// </summary>
    private sealed class TextStream(Tokenizer tokenizer, int[] prompt, TextWriter writer)
    {
        private readonly List<int> ids = [.. prompt];
        private readonly string before = tokenizer.Decode(prompt);
        private int written = tokenizer.Decode(prompt).Length;

        public void Add(int id)
        {
            ids.Add(id);
            Write(final: false);
        }

        public void Finish()
        {
            Write(final: true);
            writer.WriteLine();
        }

        private void Write(bool final)
        {
            string text = tokenizer.Decode([.. ids]);
            if (text.Length <= written || (!final && text.EndsWith('\uFFFD'))) return;
            if (written == before.Length && !text.StartsWith(before, StringComparison.Ordinal)) written = CommonPrefix(text, before);
            writer.Write(text[written..]);
            writer.Flush();
            written = text.Length;
        }

        private static int CommonPrefix(string a, string b)
        {
            int n = 0;
            while (n < a.Length && n < b.Length && a[n] == b[n]) n++;
            return n;
        }
    }
}
