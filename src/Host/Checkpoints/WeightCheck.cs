namespace RepNoise.Host.Checkpoints;

/// <summary>
/// Checks that the weight files hold what config.json implies: every parameter, in its shape and a known dtype, and nothing else.
/// </summary>
internal static class WeightCheck
{
    public static void Run(ModelFolder folder)
    {
        CheckMissing(folder);
        foreach (var parameter in folder.Parameters)
        {
            var file = folder.Weights.Find(parameter.Name)!;
            CheckTensor(file, file[parameter.Name], parameter);
        }

        CheckSurplus(folder);
    }

    /// <summary>
    /// True for tensors that some folders carry and transformers ignores: buffers of rotary frequencies, which follow from the
    /// config, and a tied head that repeats the embedding.
    /// </summary>
    public static bool IsHarmless(ModelFolder folder, TensorEntry tensor) =>
        tensor.Name.EndsWith(".rotary_emb.inv_freq", StringComparison.Ordinal) || IsTiedHead(folder, tensor);

    /// <summary>True for the head of a tied model that is stored all the same, equal to the embedding byte for byte.</summary>
    public static bool IsTiedHead(ModelFolder folder, TensorEntry tensor)
    {
        if (tensor.Name != ParameterSpecs.LmHead || !folder.Config.TieWordEmbeddings)
        {
            return false;
        }

        var file = folder.Weights.Find(tensor.Name)!;
        var embeddingFile = folder.Weights.Find(ParameterSpecs.EmbedTokens)!;
        var embedding = embeddingFile[ParameterSpecs.EmbedTokens];
        if (tensor.DType != embedding.DType || !tensor.Shape.SequenceEqual(embedding.Shape))
        {
            return false;
        }

        const int Piece = 1 << 26;
        for (long offset = 0; offset < tensor.ByteLength; offset += Piece)
        {
            int count = (int)Math.Min(Piece, tensor.ByteLength - offset);
            if (!file.Bytes(tensor.Name, offset, count).SequenceEqual(embeddingFile.Bytes(embedding.Name, offset, count)))
            {
                return false;
            }
        }

        return true;
    }

    private static void CheckMissing(ModelFolder folder)
    {
        var missing = folder.Parameters.Where(p => folder.Weights.Find(p.Name) is null).ToArray();
        if (missing.Length == 0)
        {
            return;
        }

        bool bare = folder.Weights.Find("embed_tokens.weight") is not null;
        throw new ModelFolderException(
            ModelFolderError.MissingTensor, folder.FullPath, $"the weights lack {missing[0].Name}{More(missing.Length)}",
            $"the {folder.Parameters.Count} tensors of the {folder.Config.ModelType} model that config.json describes",
            bare
                ? "save the model with its head (AutoModelForCausalLM), not the bare base model"
                : "download all files of the model, or use the config.json that belongs to these weights",
            missing[0].Name);
    }

    private static void CheckTensor(SafetensorsFile file, TensorEntry tensor, ParameterSpec parameter)
    {
        if (!tensor.DType.IsWeight())
        {
            throw new ModelFolderException(
                ModelFolderError.UnsupportedDType, file.Path, $"{tensor.Name} is {tensor.DType.Name()}", "F32, F16 or BF16",
                "convert the model to one of these dtypes with transformers first", tensor.Name);
        }

        if (!tensor.Shape.SequenceEqual(parameter.Shape))
        {
            throw new ModelFolderException(
                ModelFolderError.WrongShape, file.Path, $"{tensor.Name} has shape {Quoted.Plain(TensorEntry.Print(tensor.Shape))}",
                $"{TensorEntry.Print(parameter.Shape)}, which config.json implies", "use the config.json that belongs to these weights",
                tensor.Name);
        }
    }

    private static void CheckSurplus(ModelFolder folder)
    {
        var known = folder.Parameters.Select(p => p.Name).ToHashSet();
        var surplus = folder.Weights.Tensors.Where(t => !known.Contains(t.Name) && !IsHarmless(folder, t)).ToArray();
        if (surplus.Length == 0)
        {
            return;
        }

        string name = surplus[0].Name;
        bool head = name == ParameterSpecs.LmHead;
        throw new ModelFolderException(
            ModelFolderError.SurplusTensor, folder.Weights.Find(name)!.Path,
            head ? $"{name} differs from {ParameterSpecs.EmbedTokens}" : $"holds {Quoted.Name(name)}{More(surplus.Length)}",
            head
                ? "the same values, as config.json says tie_word_embeddings"
                : $"only tensors of the {folder.Config.ModelType} model that config.json describes",
            head ? "set tie_word_embeddings to false if the head is the model's own" : "use the config.json that belongs to these weights",
            name);
    }

    private static string More(int count) => count > 1 ? $" and {count - 1} more" : "";
}
