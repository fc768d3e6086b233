using RepNoise.Host.ChatTemplates;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Evaluation;
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
        var answering = options.Answering.For(folder.Generation);
        var tokenizer = Tokenizer.Load(folder.FullPath);
        var prompts = options.Prompts.Count > 0 ? options.Prompts : ReadPrompts(terminal.In);
        if (answering.ChatTemplate)
        {
            var chat = ChatTemplate.Load(folder.FullPath);
            prompts = [.. prompts.Select(prompt => chat.Render([new ChatMessage("user", prompt)], addGenerationPrompt: true))];
        }

        int[][] ids = [.. prompts.Select(p => LoadedModel.EncodePrompt(tokenizer, folder.Config, p, $"prompt \"{(p.Length > 40 ? p[..40] + "..." : p)}\"", !answering.ChatTemplate))];
        if (ids.Length == 0) throw new InputException("standard input", "there is no prompt", "one prompt a line", "give one with --prompt");
        using var device = Handling.CreateDevice(options.Device, options.Threads, options.Kernels);
        using var parameters = Handling.LoadForInference(folder, device);
        int longest = Math.Min(ids.Max(p => p.Length) + answering.MaxNewTokens, folder.Config.MaxPositionEmbeddings);
        using var generator = new Generator(parameters, Math.Min(answering.BatchSize, ids.Length), longest, batchInvariant: ids.Length > 1);
        using var dump = options.Dump?.Attach(device);
        var output = new OrderedTexts(prompts, ids, tokenizer, terminal.Out);
        output.Begin();
        generator.Generate(ids, answering.MaxNewTokens, answering.Sampling, folder.Generation.EosTokenIds, output.Add, output.End, stop: stop);
        output.Finish();
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

    /// <summary>
    /// Texts that grow side by side, written in the order of their prompts: the first that has not ended as it grows, those
    /// after it once their turn comes.
    /// </summary>
    private sealed class OrderedTexts(IReadOnlyList<string> prompts, int[][] ids, Tokenizer tokenizer, TextWriter writer)
    {
        private readonly List<int>[] held = [.. ids.Select(_ => new List<int>())];
        private readonly bool[] ended = new bool[ids.Length];
        private TextStream? stream;
        private int current;

        /// <summary>Shows the first prompt before its first token is known.</summary>
        public void Begin() => Open();

        public void Add(int text, int id)
        {
            if (text == current) Open().Add(id);
            else held[text].Add(id);
        }

        public void End(int text)
        {
            ended[text] = true;
            while (current < ids.Length && ended[current]) Close();
            if (current < ids.Length) Open();
        }

        /// <summary>Ends the text that an interruption left open.</summary>
        public void Finish()
        {
            if (stream is not null) Close();
        }

        private TextStream Open()
        {
            if (stream is not null) return stream;
            writer.Write(prompts[current]);
            stream = new TextStream(tokenizer, ids[current], writer);
            foreach (int id in held[current]) stream.Add(id);
            return stream;
        }

        private void Close()
        {
            Open().Finish();
            stream = null;
            current++;
        }
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
