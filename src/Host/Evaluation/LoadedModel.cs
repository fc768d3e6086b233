using RepNoise.Host.Checkpoints;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Model;
using RepNoise.Host.Tokenizers;
using RepNoise.Kernels;

namespace RepNoise.Host.Evaluation;

/// <summary>A model folder with its weights on a device and its tokenizer, for forward passes.</summary>
public sealed class LoadedModel : IDisposable
{
    /// <summary>Positions beyond which no command plans memory for one sequence, however many the model allows.</summary>
    private const int MostPositions = 1 << 16;

    private readonly ModelFolder folder;

    private LoadedModel(ModelFolder folder, Tokenizer tokenizer, ModelParameters parameters) =>
        (this.folder, Tokenizer, Parameters) = (folder, tokenizer, parameters);

    public string Path => folder.FullPath;

    public ModelConfig Config => folder.Config;

    public GenerationConfig Generation => folder.Generation;

    public Tokenizer Tokenizer { get; }

    public ModelParameters Parameters { get; }

    /// <summary>Most tokens of a sequence.</summary>
    public int MaxTokens => Math.Min(Config.MaxPositionEmbeddings, MostPositions);

    /// <summary>The token that stands before a text of which the first token is scored too: bos, else eos (lm-evaluation-harness does so).</summary>
    /// <exception cref="InputException">The model has neither.</exception>
    public int PrefixId => Config.BosTokenId ?? (Config.EosTokenIds.Count > 0
        ? Config.EosTokenIds[0]
        : throw new InputException(System.IO.Path.Combine(Path, ModelFolder.ConfigName), "it has neither bos_token_id nor eos_token_id",
            "one of them, to stand before a text whose first token is scored", "add bos_token_id"));

    /// <summary>Opens a folder, its tokenizer and its weights.</summary>
    public static LoadedModel Open(string path, Device device)
    {
        var folder = ModelFolder.Open(path);
        ModelParameters? parameters = null;
        try
        {
            var tokenizer = Tokenizer.Load(folder.FullPath);
            parameters = new ModelParameters(folder.Config, device, ParameterUse.Inference);
            parameters.Load(folder.Read);
            return new LoadedModel(folder, tokenizer, parameters);
        }
        catch
        {
            parameters?.Dispose();
            folder.Dispose();
            throw;
        }
    }

    /// <summary>The ids of a text that the model is given.</summary>
    /// <param name="text">The text.</param>
    /// <param name="place">Where it comes from, for messages.</param>
    /// <param name="special">Whether the tokenizer adds its special tokens.</param>
    /// <exception cref="InputException">The tokenizer gives an id that the model does not have.</exception>
    public int[] Encode(string text, string place, bool special = true) => CheckedIds(Tokenizer.Encode(text, special), Config, place);

    /// <summary>The ids of a prompt that is to be continued.</summary>
    /// <exception cref="InputException">There are no ids, or as many as the model has positions, or one that it does not have.</exception>
    public int[] EncodePrompt(string prompt, string place, bool special = true) => EncodePrompt(Tokenizer, Config, prompt, place, special);

    /// <inheritdoc cref="EncodePrompt(string, string, bool)"/>
    public static int[] EncodePrompt(Tokenizer tokenizer, ModelConfig config, string prompt, string place, bool addSpecialTokens = true)
    {
        int[] ids = tokenizer.Encode(prompt, addSpecialTokens);
        if (ids.Length == 0 || ids.Length >= config.MaxPositionEmbeddings)
            throw new InputException(place, $"the prompt has {ids.Length} tokens",
                $"at least one and fewer than the model's {config.MaxPositionEmbeddings} positions", "change the prompt");
        return CheckedIds(ids, config, place);
    }

    /// <summary>The text of tokens that continue a prompt, spaces at the seam included.</summary>
    public string Continuation(int[] prompt, int[] added)
    {
        string before = Tokenizer.Decode(prompt), whole = Tokenizer.Decode([.. prompt, .. added]);
        return whole.StartsWith(before, StringComparison.Ordinal) ? whole[before.Length..] : Tokenizer.Decode(added);
    }

    public void Dispose()
    {
        Parameters.Dispose();
        folder.Dispose();
    }

    private static int[] CheckedIds(int[] ids, ModelConfig config, string place)
    {
        int foreign = Array.FindIndex(ids, id => id >= config.VocabSize);
        return foreign < 0
            ? ids
            : throw new InputException(place, $"the tokenizer gives id {ids[foreign]}", $"ids below the model's vocab_size {config.VocabSize}",
                "use the tokenizer that belongs to the model");
    }
}
