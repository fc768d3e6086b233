using System.Diagnostics.CodeAnalysis;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Tokenizers.Patterns;

namespace RepNoise.Host.Tokenizers;

/// <summary>
/// A tokenizer as tokenizer.json describes it, with the results of Hugging Face's Rust library (tokenizers 0.22): text to
/// added tokens, normalizers, pre-tokenizers, model (byte-pair encoding, WordPiece or Unigram) and post-processor, and back through the decoders.
/// <c>truncation</c> and <c>padding</c> of the file are ignored: whoever builds batches truncates and pads.
/// Immutable and safe for concurrent use; results are the same on every call.
/// </summary>
public sealed class Tokenizer
{
    private readonly string file;
    private readonly TokenModel model;
    private readonly AddedTokens addedTokens;
    private readonly PreTokenizer? preTokenizer;
    private readonly PostProcessor? postProcessor;
    private readonly TokenDecoder? decoder;
    private readonly Dictionary<string, AddedToken> addedByContent;
    private readonly Dictionary<int, AddedToken> addedById;

    internal Tokenizer(TokenizerParts parts)
    {
        file = parts.File;
        model = parts.Model;
        preTokenizer = parts.PreTokenizer;
        postProcessor = parts.PostProcessor;
        decoder = parts.Decoder;
        addedTokens = new AddedTokens(parts.AddedTokens, parts.Normalizer, parts.File);
        addedByContent = parts.AddedTokens.ToDictionary(token => token.Content, StringComparer.Ordinal);
        addedById = parts.AddedTokens.ToDictionary(token => token.Id);
        VocabularySize = 1 + Math.Max(
            model.Vocabulary.Values.DefaultIfEmpty(-1).Max(), addedById.Keys.DefaultIfEmpty(-1).Max());
    }

    /// <summary>The largest id, added tokens included, plus 1: ids are below it, though not every id below it need be a token.</summary>
    public int VocabularySize { get; }

    /// <summary>Reads a tokenizer.</summary>
    /// <param name="modelFolderOrFile">A folder with tokenizer.json in it, or such a file.</param>
    /// <exception cref="TokenizerException">The file is malformed or uses something that is not supported; says where.</exception>
    /// <exception cref="InputException">There is no such file or it cannot be read.</exception>
    public static Tokenizer Load(string modelFolderOrFile) => new(TokenizerReader.Read(modelFolderOrFile));

    /// <summary>The ids of a text. Lone surrogates count as U+FFFD.</summary>
    /// <param name="text">Any text; may be empty.</param>
    /// <param name="addSpecialTokens">Whether the post-processor adds its tokens, such as the one for the text's beginning.</param>
    /// <exception cref="TokenizerException">
    /// A pattern of the file took more time than the text's length allows, or its steps more memory; or a character is unknown and so is
    /// the unknown token.
    /// </exception>
    public int[] Encode(string text, bool addSpecialTokens = true)
    {
        ArgumentNullException.ThrowIfNull(text);
        var growth = Growth.OfText(file, text.Length);
        var split = addedTokens.Extract(CodePoint.WellFormed(text), growth);
        preTokenizer?.Apply(split);
        var ids = new List<int>(split.Pieces.Count + 8);
        foreach (var piece in split.Pieces)
        {
            if (piece.IsToken)
            {
                ids.Add(piece.TokenId);
                continue;
            }
            growth.TakeBytes(TokenModel.WordBytes + model.UnitBytes * piece.Length);
            model.Encode(split.Text.AsSpan(piece.Start, piece.Length), ids);
        }
        return [.. postProcessor?.Apply(ids, addSpecialTokens, growth) ?? ids];
    }

    /// <summary>The text of some ids. Ids that are no token are skipped; bytes that are no UTF-8 become U+FFFD.</summary>
    /// <param name="ids">Token ids, (T).</param>
    /// <param name="skipSpecialTokens">Whether special tokens are left out.</param>
    /// <exception cref="TokenizerException">The file's decoders take more memory than the tokens' length allows.</exception>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true)
    {
        var tokens = new List<string>(ids.Length);
        foreach (int id in ids)
        {
            if (TryToken(id, out string? token) && !(skipSpecialTokens && IsSpecial(token)))
                tokens.Add(token);
        }
        return decoder is null
            ? string.Join(' ', tokens)
            : string.Concat(decoder.Decode(tokens, Growth.OfTokens(file, tokens)));
    }

    /// <summary>The id of a token by its exact content, or null.</summary>
    public int? TokenToId(string token)
    {
        if (addedByContent.TryGetValue(token, out var added))
            return added.Id;
        return model.Vocabulary.TryGetValue(token, out int id) ? id : null;
    }

    /// <summary>The token of an id as the file spells it, or null.</summary>
    public string? IdToToken(int id) => TryToken(id, out string? token) ? token : null;

    private bool TryToken(int id, [NotNullWhen(true)] out string? token)
    {
        if (!addedById.TryGetValue(id, out var added))
            return model.TryToken(id, out token);
        token = added.Content;
        return true;
    }

    /// <summary>Special is what a token says, not which id says it; so it is in the Rust library.</summary>
    private bool IsSpecial(string token) => addedByContent.TryGetValue(token, out var added) && added.Special;
}
