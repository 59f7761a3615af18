// Everything a program that links tinyllm needs.
#pragma once

#include "tinyllm/convert.h"
#include "tinyllm/dtype.h"
#include "tinyllm/error.h"
#include "tinyllm/gpu.h"
#include "tinyllm/imatrix.h"
#include "tinyllm/model.h"
#include "tinyllm/profile.h"
#include "tinyllm/sampler.h"
#include "tinyllm/session.h"
#include "tinyllm/system.h"
#include "tinyllm/tokenizer.h"
#include "tinyllm/version.h"
